//! The OFTP2 checker (RFC 5024): framing, fields, order. It knows no sockets and imports none of its siblings.
