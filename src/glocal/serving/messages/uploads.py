"""The pictures in the body of a request to /predict: a form with any number of them, or the bytes of one."""

from typing import NamedTuple

import numpy as np
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from glocal.serving.messages.refusal import Refusal


class Picture(NamedTuple):
    """A picture as it was sent: the bytes of a file, or pixels, uint8 (h, w, 1 or 3)."""

    name: str  # for the answer; nothing is opened by it
    content: bytes | np.ndarray


def pictures_in(body: bytes, content_type: str, *, max_pictures: int) -> list[Picture]:
    """The pictures of a body. Refusal where its type is not understood, or it is no form as it claims."""
    kind, options = parse_options_header(content_type)
    if kind == b"multipart/form-data":
        boundary = options.get(b"boundary")
        if not boundary:
            raise Refusal(400, "form", "multipart/form-data without a boundary")
        return _Form(max_pictures).read(body, boundary)
    if kind and not kind.startswith(b"image/") and kind != b"application/octet-stream":
        raise Refusal(
            415,
            "type",
            f"Content-Type {kind.decode('latin-1')[:100]!r}: send multipart/form-data, or the bytes of one picture as "
            "image/jpeg, image/png, ... (curl: -H 'Content-Type: image/jpeg')",
        )
    if not body:
        raise Refusal(400, "empty", "the body is empty; send the bytes of a picture")
    return [Picture("", body)]


class _Form:
    """The parts of a form, gathered by the callbacks of a parser."""

    def __init__(self, max_pictures: int) -> None:
        self._max_pictures = max_pictures
        self._pictures: list[Picture] = []
        self._data = bytearray()
        self._header, self._value = bytearray(), bytearray()
        self._disposition = b""
        self._ended = False

    def read(self, body: bytes, boundary: bytes) -> list[Picture]:
        callbacks = {
            "on_part_begin": self._begin,
            "on_header_begin": self._begin_header,
            "on_header_field": lambda data, start, end: self._header.extend(data[start:end]),
            "on_header_value": lambda data, start, end: self._value.extend(data[start:end]),
            "on_header_end": self._end_header,
            "on_part_data": lambda data, start, end: self._data.extend(data[start:end]),
            "on_part_end": self._end,
            "on_end": self._finish,
        }
        try:
            parser = MultipartParser(boundary, callbacks)  # type: ignore[arg-type]
            parser.write(body)
            parser.finalize()
        except FormParserError as error:
            raise Refusal(400, "form", f"the form cannot be read: {error}") from None
        if not self._ended:
            raise Refusal(400, "form", "the form ends before its last boundary")
        if not self._pictures:
            raise Refusal(400, "empty", "the form has no pictures")
        return self._pictures

    def _begin(self) -> None:
        self._data, self._disposition = bytearray(), b""

    def _begin_header(self) -> None:
        self._header, self._value = bytearray(), bytearray()

    def _end_header(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = bytes(self._value)

    def _end(self) -> None:
        if len(self._pictures) == self._max_pictures:
            raise Refusal(413, "pictures", f"the form has more than the {self._max_pictures} pictures allowed")
        _, options = parse_options_header(self._disposition)
        if (file := options.get(b"filename")) is None:
            field = options.get(b"name", b"").decode(errors="replace")[:100]
            raise Refusal(
                422, "form", f"the field {field!r} is not a file; send pictures alone (curl: -F 'file=@a.jpg')"
            )
        self._pictures.append(Picture(file.decode(errors="replace")[:255], bytes(self._data)))

    def _finish(self) -> None:
        self._ended = True
