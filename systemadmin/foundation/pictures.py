"""Pictures without what they say about people: written anew from their pixels alone.

Cameras put the place, the moment and the device into a picture (EXIF), editors add names (XMP,
IPTC, text chunks), and phones hang a film behind it. None of this survives being decoded and
encoded again. The turn that EXIF asks for is made in the pixels, and colours become sRGB, because
profiles name people and their machines too. Animations stay.
"""

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from django.core.files.base import ContentFile, File
from django.utils.translation import gettext as _
from pi_heif import register_heif_opener
from PIL import Image, ImageCms, ImageOps, ImageSequence
from PIL.JpegImagePlugin import get_sampling

from systemadmin.foundation.errors import InvalidInput

_FORMATS: Final = {
    "image/png": "PNG",
    "image/jpeg": "JPEG",
    "image/gif": "GIF",
    "image/webp": "WEBP",
    "image/tiff": "TIFF",
    "image/avif": "AVIF",
    "image/heic": "HEIF",
}
PICTURE_TYPES: Final = frozenset(_FORMATS)
# There is a decoder for HEIC whose licence lets us ship it, and no encoder.
_STORED_AS: Final = {"image/heic": "image/jpeg"}

# All frames of an animation together. 50 million take about 150 MB while they are worked on.
MOST_PIXELS: Final = 50_000_000
MOST_FRAMES: Final = 1_000
_QUALITY: Final = 90
# What a picture needs to be shown as it was; all else that Pillow read is left behind.
_SHOWN: Final = ("transparency", "background", "duration", "loop", "disposal", "blend")
_METADATA: Final = ("exif", "xmp", "XML:com.adobe.xmp", "photoshop", "comment", "icc_profile", "mp")
# A TIFF file is made of tags; these are the ones about people, places and devices.
_TELLING_TAGS: Final = frozenset(
    {270, 271, 272, 305, 306, 315, 316, 700, 33432, 33723, 34377, 34665, 34675, 34853}
)
_PLAIN_SEGMENTS: Final = frozenset({"APP0", "APP14"})
# Seconds of processor time to write a picture anew, per million pixels and per megabyte of file,
# measured on noise, which costs most.
_SECONDS: Final = {
    "image/jpeg": (0.02, 0.0),
    "image/gif": (0.03, 0.0),
    "image/png": (0.05, 0.3),
    "image/webp": (0.1, 1.3),
    "image/avif": (0.1, 2.5),
    "image/heic": (0.1, 0.3),
    "image/tiff": (0.06, 0.3),
}
# A JPEG is drawn once for each scan. Cameras and programs write at most some dozens.
_SCAN: Final = b"\xff\xda"
_MOST_SCANS: Final = 500
_SECONDS_PER_SCAN: Final = 0.005
register_heif_opener()
# Decoded pixels are large: several at once would take the memory of a whole process.
_one_at_a_time = threading.Lock()


class UnreadablePicture(InvalidInput):
    """The picture cannot be decoded, or only at a cost that nobody should pay."""


def is_picture(content_type: str) -> bool:
    """Return whether files of this type are pictures that may hold metadata."""
    return content_type in PICTURE_TYPES


def without_metadata(upload: File, content_type: str, *, field: str = "file") -> tuple[File, str]:
    """Return the file to store and its type: a picture anew, anything else as it is.

    Raises `UnreadablePicture`, which names the field.
    """
    if not is_picture(content_type):
        return upload, content_type
    upload.seek(0)
    content, kind = strip_metadata(upload.read(), content_type, field=field)
    return ContentFile(content, name=upload.name), kind


def strip_metadata(content: bytes, content_type: str, *, field: str = "file") -> tuple[bytes, str]:
    """Return the picture encoded anew without metadata, and its type: HEIC becomes JPEG.

    Raises `UnreadablePicture`.
    """
    kind = _STORED_AS.get(content_type, content_type)
    with _opened(content, content_type, field) as picture:
        frames = list(_clean_frames(picture, field))
        out = io.BytesIO()
        form = _FORMATS[kind]
        options = _options(picture, form, content)
        if len(frames) > 1:
            options |= {"save_all": True, "append_images": frames[1:], **_timing(frames, form)}
        frames[0].save(out, format=form, **options)
    return out.getvalue(), kind


def seconds_to_strip(content: bytes, content_type: str) -> float:
    """Return about how much processor time `strip_metadata` takes; 0 for what it refuses."""
    per_pixels, per_bytes = _SECONDS[content_type]
    if content_type == "image/jpeg":
        per_pixels += _SECONDS_PER_SCAN * max(0, content.count(_SCAN) - 10)
    try:
        with _opened(content, content_type, "file") as picture:
            pixels = picture.width * picture.height * getattr(picture, "n_frames", 1)
    except UnreadablePicture:
        return 0.0
    return (min(pixels, MOST_PIXELS) * per_pixels + len(content) * per_bytes) / 1_000_000


def has_metadata(content: bytes, content_type: str) -> bool:
    """Return whether a stored picture holds metadata; raises `UnreadablePicture`."""
    if content_type in _STORED_AS:
        return True
    with _opened(content, content_type, "file") as picture:
        picture.load()
        segments = {name for name, _data in getattr(picture, "applist", ())}
        film_behind = content_type == "image/jpeg" and not content.endswith(b"\xff\xd9")
        tags = set(picture.getexif())
        return bool(
            (tags & _TELLING_TAGS if content_type == "image/tiff" else tags)
            or any(picture.info.get(name) for name in _METADATA)
            or getattr(picture, "text", None)
            or segments - _PLAIN_SEGMENTS
            or film_behind
        )


@contextmanager
def _opened(content: bytes, content_type: str, field: str) -> Iterator[Image.Image]:
    """Yield the picture, by the decoder of its own type only, not decoded yet."""
    try:
        with (
            _one_at_a_time,
            Image.open(io.BytesIO(content), formats=[_FORMATS[content_type]]) as picture,
        ):
            _check_size(picture, 1, field)
            if content_type == "image/jpeg" and content.count(_SCAN) > _MOST_SCANS:
                raise _too_large(field)
            yield picture
    except InvalidInput:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_large(field) from error
    except Exception as error:
        # Decoders raise whatever they stumble over: OSError, ValueError, SyntaxError, struct.error.
        raise UnreadablePicture(
            field, _("The picture cannot be read."), code="picture_unreadable"
        ) from error


def _clean_frames(picture: Image.Image, field: str) -> Iterator[Image.Image]:
    # A JPEG with further views behind it, or a HEIC with a film: the first one is the picture.
    if picture.format in ("MPO", "HEIF"):
        yield _clean(picture)
        return
    for number, frame in enumerate(ImageSequence.Iterator(picture), start=1):
        _check_size(frame, number, field)
        yield _clean(frame)


def _clean(frame: Image.Image) -> Image.Image:
    profile = frame.info.get("icc_profile")
    turned = ImageOps.exif_transpose(frame)
    plain = turned if turned is not frame else frame.copy()
    shown: Any = {name: plain.info[name] for name in _SHOWN if name in plain.info}
    if profile:
        plain = _in_srgb(plain, profile)
    plain.info = shown
    plain.getexif().clear()
    return plain


def _in_srgb(picture: Image.Image, profile: bytes) -> Image.Image:
    """Return the picture in the colours of the web; one whose profile is broken stays as it is."""
    if picture.mode not in ("RGB", "RGBA", "CMYK", "L", "LA"):
        return picture
    alpha = picture.getchannel("A") if picture.mode in ("RGBA", "LA") else None
    opaque = picture.convert("RGB" if picture.mode == "RGBA" else "L") if alpha else picture
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        target = ImageCms.createProfile("sRGB")
        converted: Any = ImageCms.profileToProfile(opaque, source, target, outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError):
        return picture
    if alpha is not None:
        converted.putalpha(alpha)
    return converted


def _options(picture: Image.Image, form: str, content: bytes) -> dict[str, Any]:
    if form == "JPEG":
        return _jpeg_options(picture)
    if form == "WEBP":
        # A picture without loss stays one.
        is_lossless = b"VP8L" in content[:64]
        return {"lossless": is_lossless, "quality": 80 if is_lossless else _QUALITY, "method": 4}
    if form == "TIFF":
        return {"compression": "tiff_adobe_deflate"}
    if form == "AVIF":
        return {"quality": _QUALITY, "speed": 8}
    return {"optimize": False}


def _jpeg_options(picture: Any) -> dict[str, Any]:
    """Return the camera's own tables, so that a second encoding loses next to nothing."""
    tables = getattr(picture, "quantization", None)
    if not tables or picture.mode == "CMYK":
        return {"quality": _QUALITY}
    sampling = get_sampling(picture)
    return {"qtables": tables, "subsampling": sampling if sampling >= 0 else 2}


def _timing(frames: list[Image.Image], form: str) -> dict[str, Any]:
    """Return how long each frame of an animation is shown, and how often all are."""
    first = frames[0].info
    if form == "TIFF":
        return {}
    timing: dict[str, Any] = {
        "duration": [round(frame.info.get("duration", 100)) for frame in frames],
    }
    if "loop" in first:
        timing["loop"] = first["loop"]
    return timing


def _check_size(frame: Image.Image, frames: int, field: str) -> None:
    if frame.width * frame.height * frames > MOST_PIXELS or frames > MOST_FRAMES:
        raise _too_large(field)


def _too_large(field: str) -> UnreadablePicture:
    return UnreadablePicture(
        field,
        _("The picture has too many pixels: at most %(most)d million in all its frames.")
        % {"most": MOST_PIXELS // 1_000_000},
        code="picture_too_large",
    )
