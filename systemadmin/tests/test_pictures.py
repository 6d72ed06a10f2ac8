"""Pictures lose what they say about people, and nothing else."""

import io

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image, ImageCms

from systemadmin.foundation.files import EXTENSIONS, accept_upload, validate_upload
from systemadmin.foundation.pictures import (
    MOST_PIXELS,
    PICTURE_TYPES,
    UnreadablePicture,
    has_metadata,
    seconds_to_strip,
    strip_metadata,
)
from systemadmin.tests import pictures

KINDS = {"GIF": "image/gif", "WEBP": "image/webp", "PNG": "image/png", "AVIF": "image/avif"}


def test_a_photo_is_turned_and_loses_all_that_is_not_pixels():
    before = pictures.photo()
    after, kind = strip_metadata(before, "image/jpeg")
    assert kind == "image/jpeg"
    assert pictures.MARKER in before
    assert pictures.MARKER not in after
    picture = pictures.opened(after)
    assert picture.size == (20, 40)
    assert not picture.getexif()
    # The green corner was top left; a quarter turn to the right brings it to the top right.
    red, green, _blue = picture.getpixel((17, 3))
    assert green > red
    assert (has_metadata(before, kind), has_metadata(after, kind)) == (True, False)


def test_the_quality_of_a_photo_stays():
    noise = Image.effect_noise((160, 120), 40).convert("RGB")
    before = pictures.encoded(noise, "JPEG", quality=83)
    after, _kind = strip_metadata(before, "image/jpeg")
    differences = zip(
        pictures.opened(before).tobytes(), pictures.opened(after).tobytes(), strict=True
    )
    assert max(abs(a - b) for a, b in differences) <= 12
    assert 0.9 < len(after) / len(before) < 1.1


def test_heic_becomes_jpeg():
    after, kind = strip_metadata(pictures.HEIC, "image/heic")
    assert kind == "image/jpeg"
    assert pictures.MARKER not in after
    assert not pictures.opened(after).getexif()
    assert pictures.opened(after).format == "JPEG"


def test_texts_of_a_png_go_and_its_transparency_stays():
    before = pictures.png_with_text()
    after, kind = strip_metadata(before, "image/png")
    assert pictures.MARKER in before
    assert pictures.MARKER not in after
    assert b"eXIf" not in after
    assert pictures.opened(after).getpixel((4, 4)) == (1, 2, 3, 128)
    assert (has_metadata(before, kind), has_metadata(after, kind)) == (True, False)


@pytest.mark.parametrize("mode", ["RGBA", "RGB", "P", "L", "LA", "1", "CMYK"])
def test_a_profile_goes_and_the_picture_stays_readable(mode):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    form = "JPEG" if mode == "CMYK" else "PNG"
    picture = Image.new("RGB", (8, 8), (10, 120, 200)).convert(mode)
    before = pictures.encoded(picture, form, icc_profile=profile)
    after, _kind = strip_metadata(before, f"image/{form.lower()}")
    assert "icc_profile" not in pictures.opened(after).info
    assert pictures.opened(after).size == (8, 8)


@pytest.mark.parametrize("form", KINDS)
def test_an_animation_stays_one(form):
    told = {"comment": b"MARKER"} if form == "GIF" else {"exif": pictures.camera_data(1)}
    before = pictures.animation(form, **told)
    after, kind = strip_metadata(before, KINDS[form])
    assert pictures.MARKER in before
    assert pictures.MARKER not in after
    picture = Image.open(io.BytesIO(after))
    shown = []
    for number in range(picture.n_frames):
        picture.seek(number)
        picture.load()
        shown.append((picture.info["duration"], picture.convert("RGB").getpixel((5, 5))[0]))
    assert [duration for duration, _red in shown] == [100, 300, 200, 400]
    assert [red for _duration, red in shown] == pytest.approx([0, 60, 120, 180], abs=8)
    assert not has_metadata(after, kind)


@pytest.mark.parametrize("kind", sorted(PICTURE_TYPES))
def test_what_is_no_picture_inside_is_refused(kind):
    start = {"image/jpeg": b"\xff\xd8\xff\xe0", "image/png": b"\x89PNG\r\n\x1a\n"}.get(
        kind, b"GIF89a"
    )
    with pytest.raises(UnreadablePicture) as refusal:
        strip_metadata(start + b"\0" * 500, kind, field="attachment")
    assert refusal.value.errors[0]["field"] == "attachment"
    assert refusal.value.errors[0]["code"] == "picture_unreadable"


def test_a_picture_cut_short_is_refused():
    whole = pictures.encoded(Image.effect_noise((200, 200), 40).convert("RGB"), "JPEG")
    with pytest.raises(UnreadablePicture):
        strip_metadata(whole[: len(whole) // 2], "image/jpeg")


def test_a_bomb_is_refused_before_it_is_unpacked():
    bomb = pictures.encoded(Image.new("1", (8000, MOST_PIXELS // 8000 + 1)), "PNG")
    assert len(bomb) < 20_000
    with pytest.raises(UnreadablePicture) as refusal:
        strip_metadata(bomb, "image/png")
    assert refusal.value.errors[0]["code"] == "picture_too_large"


def test_a_bomb_of_many_frames_is_refused(monkeypatch):
    monkeypatch.setattr("systemadmin.foundation.pictures.MOST_PIXELS", 700)
    with pytest.raises(UnreadablePicture) as refusal:
        strip_metadata(pictures.animation("GIF"), "image/gif")
    assert refusal.value.errors[0]["code"] == "picture_too_large"


def test_every_accepted_upload_has_lost_it():
    upload = SimpleUploadedFile("IMG_1.heic", pictures.HEIC)
    file, kind = accept_upload(upload, max_bytes=10_000, allowed=set(EXTENSIONS))
    assert kind == "image/jpeg"
    assert pictures.MARKER not in file.read()
    text = SimpleUploadedFile("a.txt", b"hello")
    assert accept_upload(text, max_bytes=100, allowed={"text/plain"}) == (text, "text/plain")
    assert validate_upload(text, max_bytes=100, allowed={"text/plain"}) == "text/plain"


def test_a_jpeg_of_thousands_of_scans_is_refused():
    """A decoder draws the whole picture once for each: 10 MB of them would take hours."""
    before = pictures.photo()
    drawn_often = before[:-2] + b"\xff\xda\x00\x02" * 1_000 + before[-2:]
    with pytest.raises(UnreadablePicture):
        strip_metadata(drawn_often, "image/jpeg")
    assert strip_metadata(before, "image/jpeg")


def test_the_cost_of_a_picture_grows_with_its_pixels_bytes_and_scans():
    small, large = (
        pictures.encoded(Image.new("RGB", (side, side)), "PNG") for side in (100, 1_000)
    )
    assert 0 < seconds_to_strip(small, "image/png") < seconds_to_strip(large, "image/png") < 1
    photo = pictures.photo()
    often = photo + b"\xff\xda" * 400
    assert seconds_to_strip(often, "image/jpeg") > seconds_to_strip(photo, "image/jpeg")
    assert seconds_to_strip(b"no picture", "image/png") == 0
