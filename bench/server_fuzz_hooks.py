"""What schemathesis has to be told of the server: the parts of uploads are plain bytes."""

from __future__ import annotations

import schemathesis

schemathesis.serializer.alias("application/offset+octet-stream", "application/octet-stream")
