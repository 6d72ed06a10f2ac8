"""Small pictures for tests, with and without what cameras write into them."""

import base64
import io

from PIL import Image, PngImagePlugin

MARKER = b"MARKER"
# 64 x 48 pixels, turned by a quarter (EXIF), with a place and the maker "MARKER-MAKER".
HEIC = base64.b64decode(
    "AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAchtZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAA"
    "AAAAAAAAAAAAAAAAADRpbG9jAAAAAERAAAIAAQAAAAAB7AABAAAAAAAAAC8AAgAAAAACGwABAAAAAAAAAIAA"
    "AAA4aWluZgAAAAAAAgAAABVpbmZlAgAAAAABAABodmMxAAAAABVpbmZlAgAAAQACAABFeGlmAAAAAA5waXRt"
    "AAAAAAABAAABB2lwcnAAAADmaXBjbwAAAHZodmNDAQNwAAAAkAAAAAAAHvAA/P34+AAADwNgAAEAGEABDAH/"
    "/wNwAAADAJAAAAMAAAMAHroCQGEAAQAqQgEBA3AAAAMAkAAAAwAAAwAeoCCBBZbq5Ka5uAhoMCAAAAMDIAAA"
    "AwAhYgABAAZEAcFzwIkAAAATY29scm5jbHgAAQANAAaAAAAAFGlzcGUAAAAAAAAAQAAAAEAAAAAoY2xhcAAA"
    "AEAAAAABAAAAMAAAAAEAAAAAAAAAAv////AAAAACAAAAEHBpeGkAAAAAAwgICAAAAAlpcm90AwAAABlpcG1h"
    "AAAAAAAAAAEAAQaBAgMFhIYAAAAaaXJlZgAAAAAAAAAOY2RzYwACAAEAAQAAALdtZGF0AAAAKygBrxmA94RJ"
    "DH9nx+5Df8nAz+m09o8t/2srjIztv/VoC0FOfkTgSxwy6cgAAAAGRXhpZgAATU0AKgAAAAgAAwEPAAIAAAAN"
    "AAAAMgESAAMAAAABAAYAAIglAAQAAAABAAAAQAAAAABNQVJLRVItTUFLRVIAAAACAAEAAgAAAAJOAAAAAAIA"
    "BQAAAAMAAABeAAAAAAAAACgAAAABAAAAGgAAAAEAAAAuAAAAAQ=="
)


def camera_data(orientation=6):
    """EXIF as a phone writes it: maker, turn and place."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = "MARKER-MAKER"
    place = exif.get_ifd(0x8825)
    place[1], place[2] = "N", (40.0, 26.0, 46.0)
    return exif


def png(color=(10, 120, 200), size=(12, 8)):
    """A plain PNG."""
    return encoded(Image.new("RGB", size, color), "PNG")


def photo(size=(40, 20)):
    """A JPEG with EXIF, XMP, a comment and a film behind the picture."""
    picture = Image.new("RGB", size, (200, 30, 30))
    picture.paste((20, 200, 20), (0, 0, size[0] // 2, size[1] // 2))
    content = encoded(
        picture,
        "JPEG",
        exif=camera_data(),
        xmp=b"<x:xmpmeta>MARKER</x:xmpmeta>",
        comment=b"MARKER",
        quality=90,
    )
    return content + b"MARKER film"


def png_with_text():
    """A PNG with text chunks and EXIF."""
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Author", "MARKER")
    texts.add_itxt("Place", "MARKER")
    return encoded(
        Image.new("RGBA", (9, 9), (1, 2, 3, 128)), "PNG", pnginfo=texts, exif=camera_data()
    )


def animation(form, **options):
    """Four frames of different colours and lengths."""
    frames = [
        Image.new("RGB", (20, 10), (60 * number, 255 - 60 * number, 9)) for number in range(4)
    ]
    return encoded(
        frames[0],
        form,
        save_all=True,
        append_images=frames[1:],
        duration=[100, 300, 200, 400],
        loop=0,
        **options,
    )


def encoded(picture, form, **options):
    """The bytes of a picture in a format."""
    out = io.BytesIO()
    picture.save(out, form, **options)
    return out.getvalue()


def opened(content):
    """The picture, decoded."""
    picture = Image.open(io.BytesIO(content))
    picture.load()
    return picture
