//! Git's pkt-line framing (gitprotocol-common): four hexadecimal digits of length, then the payload.

/// A packet of a stream.
#[derive(Debug, PartialEq, Eq)]
pub enum Packet<'a> {
    /// `0000`: the end of a message.
    Flush,
    /// `0001` or `0002`: a separator.
    Delimiter,
    /// A line, without its final line feed.
    Line(&'a [u8]),
}

/// Appends a line.
pub fn line(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(format!("{:04x}{text}\n", text.len() + 5).as_bytes());
}

/// Splits the next packet off; `None` at the end or where the framing is broken.
pub fn next<'a>(input: &mut &'a [u8]) -> Option<Packet<'a>> {
    let length = std::str::from_utf8(input.get(..4)?).ok()?;
    let length = usize::from_str_radix(length, 16).ok()?;
    match length {
        0 => {
            *input = input.get(4..)?;
            Some(Packet::Flush)
        }
        1..=3 => {
            *input = input.get(4..)?;
            Some(Packet::Delimiter)
        }
        _ => {
            let payload = input.get(4..length)?;
            *input = input.get(length..)?;
            Some(Packet::Line(payload.strip_suffix(b"\n").unwrap_or(payload)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_framed_and_unframed() {
        let mut bytes = Vec::new();
        line(&mut bytes, "peel");
        bytes.extend_from_slice(b"00010000");
        let mut input = bytes.as_slice();
        assert_eq!(next(&mut input), Some(Packet::Line(b"peel")));
        assert_eq!(next(&mut input), Some(Packet::Delimiter));
        assert_eq!(next(&mut input), Some(Packet::Flush));
        assert_eq!(next(&mut input), None);
    }

    #[test]
    fn broken_framing_ends_the_stream() {
        for broken in [&b"00"[..], b"zzzz", b"0fffshort", b"\xff\xff\xff\xff"] {
            assert_eq!(next(&mut &*broken), None);
        }
    }
}
