"""The page behind a link to a file: without sign-in, and without a word about the ticket."""

from typing import Any

from django.http import FileResponse, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from support.errors import FileLinkExpired
from support.models import FileLink
from support.services.file_links import find_link, open_link
from systemadmin.foundation.errors import NotFound
from systemadmin.foundation.files import private_response


# The signed address is what permits it; there is no session that another site could use.
@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
def file_link_page(request: HttpRequest, token: str) -> HttpResponse | FileResponse:
    """Show name and size of the file (GET), or hand it out (POST).

    Programs that look at every address of a mail do not count as downloads.
    """
    try:
        if request.method == "POST":
            return _file(open_link(token=token))
        return _page(request, 200, link=find_link(token))
    except FileLinkExpired:
        told = _("This link has expired. Answer the mail to get a new one.")
        return _page(request, 410, told=told)
    except NotFound:
        return _page(request, 404, told=_("There is no such link. Copy the whole address."))


def _file(link: FileLink) -> FileResponse:
    file = link.attachment
    if not file.file.storage.exists(str(file.file.name)):
        raise FileLinkExpired
    return private_response(file.file.open("rb"), name=file.name, content_type=file.content_type)


def _page(request: HttpRequest, status: int, **context: Any) -> HttpResponse:
    response = TemplateResponse(request, "support/file_link.html", context, status=status)
    response["Cache-Control"] = "private, no-store"
    # The address is the key: no other site may learn it.
    response["Referrer-Policy"] = "no-referrer"
    response["X-Robots-Tag"] = "noindex"
    return response
