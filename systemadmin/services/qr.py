"""QR codes as SVG without styles or scripts, fit for a strict content security policy."""

import io

import qrcode
from qrcode.image.svg import SvgPathImage


def qr_svg(text: str) -> str:
    """Return the text as one SVG element."""
    image = qrcode.make(text, image_factory=SvgPathImage, box_size=8, border=4)
    buffer = io.BytesIO()
    image.save(buffer)
    svg = buffer.getvalue().decode()
    return svg[svg.index("<svg") :]
