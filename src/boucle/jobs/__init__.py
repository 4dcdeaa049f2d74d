"""Durable jobs: leases with fences, a runner whose jobs are child processes, schedules that catch up once."""
