"""The one place where the capabilities meet: the build takes a version from upload to ready."""
