"""A report as one file: HTML with its style and pictures inside, to be kept, sent and printed."""

from __future__ import annotations

from markupsafe import Markup

from boucle.core.i18n import current_language
from boucle.core.report import Report
from boucle.web.pages.monitoring import Monitoring
from boucle.web.pages.static import CONTENT
from boucle.web.pages.templates import environment


def report_file(report: Report, platform_version: str) -> str:
    """Return the file as text, in the language of the moment. It fetches nothing and runs no script."""
    values = {
        "monitoring": Monitoring(report),
        "report": report,
        "now": report.made_at,
        "language": current_language(),
        "platform_version": platform_version,
        "style": Markup(CONTENT["style.css"].decode()),  # noqa: S704  # our own file
    }
    return environment().get_template("report.html").render(values)
