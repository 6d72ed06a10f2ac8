"""The desk's figures as a page with charts and as CSV."""

from datetime import date, timedelta
from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from support.admin.people import agent_of
from support.models import SlaBreach
from support.querysets.report_csv import MAX_DAYS, csv_of
from support.querysets.reports import Report, Row, Speed, build_report
from support.report_period import report_period, zone_of
from systemadmin.foundation.charts import Series, bar_chart
from systemadmin.foundation.forms import DayInput


class PeriodForm(forms.Form):
    """From one day up to and including another."""

    start = forms.DateField(label=gettext_lazy("From"), widget=DayInput())
    end = forms.DateField(label=gettext_lazy("To"), widget=DayInput())

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if data.get("start") and data.get("end"):
            days = (data["end"] - data["start"]).days
            if not 0 <= days < MAX_DAYS:
                raise forms.ValidationError(_("Choose one to 366 days, the first day first."))
        return data


def _period(request: HttpRequest) -> tuple[PeriodForm, date, date]:
    today = timezone.now().astimezone(zone_of(agent_of(request))).date()
    first, last = today - timedelta(days=29), today
    form = PeriodForm(request.GET if "start" in request.GET else {"start": first, "end": last})
    if form.is_valid():
        first, last = form.cleaned_data["start"], form.cleaned_data["end"]
    return form, first, last


def _report(request: HttpRequest, first: date, last: date) -> Report:
    agent = agent_of(request)
    return build_report(agent, *report_period(agent, first, last))


def _allow(request: HttpRequest) -> None:
    if not request.user.has_perm("support.view_reports"):
        raise PermissionDenied


def report_page(model_admin: Any, request: HttpRequest) -> HttpResponse:
    """Return figures and charts of a period."""
    _allow(request)
    form, first, last = _period(request)
    report = _report(request, first, last)
    context = {
        **model_admin.admin_site.each_context(request),
        "opts": model_admin.model._meta,
        "media": model_admin.media,
        "title": _("Reports"),
        "form": form,
        "report": report,
        "breaches": [
            (SlaBreach.CLOCK_TEXTS.get(name, name), count)
            for name, count in report.breaches.items()
        ],
        "zone": zone_of(agent_of(request)),
        "speeds": _speed_cells(report.speed),
        "volume": bar_chart(
            _("Tickets by day"),
            [f"{day:%d.%m.}" for day, _n in report.opened_by_day],
            [
                Series(_("opened"), "chart-opened", [n for _d, n in report.opened_by_day]),
                Series(_("resolved"), "chart-resolved", [n for _d, n in report.resolved_by_day]),
            ],
        ),
        "ages": bar_chart(
            _("Open tickets by age in days"),
            [label for label, _n in report.backlog_ages],
            [Series(_("open"), "chart-open", [n for _l, n in report.backlog_ages])],
        ),
        "tables": [
            (_("By agent"), [_cells(row) for row in report.agents]),
            (_("By category"), [_cells(row) for row in report.categories]),
        ],
        "query": f"start={first.isoformat()}&end={last.isoformat()}",
    }
    return TemplateResponse(request, "admin/support/ticket/reports.html", context)


def duration(seconds: float | None) -> str:
    """Return working time as people read it: 3 h 20 min."""
    if seconds is None:
        return "-"
    minutes = round(seconds / 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min"


def _speed_cells(speed: Speed) -> list[str]:
    return [
        duration(speed.first_response_median),
        duration(speed.first_response_p90),
        duration(speed.resolution_median),
        duration(speed.resolution_p90),
    ]


def _cells(row: Row) -> list[Any]:
    rating = "-" if row.rating is None else f"{row.rating:.1f}"
    name = row.name or _("(none)")
    return [name, row.speed.count, *_speed_cells(row.speed), row.breaches, rating]


def report_csv(model_admin: Any, request: HttpRequest) -> HttpResponse:
    """Return the same figures for a spreadsheet."""
    _allow(request)
    _form, first, last = _period(request)
    response = HttpResponse(
        csv_of(_report(request, first, last)), content_type="text/csv; charset=utf-8"
    )
    response["Content-Disposition"] = f'attachment; filename="support-{first}-{last}.csv"'
    return response
