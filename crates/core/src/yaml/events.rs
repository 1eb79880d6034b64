//! The parser's events, made safe. All unsafe code of this crate is in this file.

use std::ffi::CStr;
use std::mem::MaybeUninit;
use std::ptr::NonNull;

use libyaml_rs as sys;

use super::explain::Failure;
use super::{Mark, Problem};

/// One event with its place.
pub(super) struct Event {
    pub(super) mark: Mark,
    pub(super) kind: EventKind,
}

/// What the parser found. Tags are in long form (`tag:yaml.org,2002:int`), empty where there is none.
pub(super) enum EventKind {
    Other,
    StreamEnd,
    /// With what a `%YAML` line says.
    DocumentStart {
        version: Option<(i32, i32)>,
    },
    DocumentEnd,
    Alias {
        anchor: String,
    },
    Scalar {
        anchor: Option<String>,
        tag: String,
        plain: bool,
        value: String,
    },
    SequenceStart {
        anchor: Option<String>,
    },
    SequenceEnd,
    MappingStart {
        anchor: Option<String>,
    },
    MappingEnd,
}

/// A parser of one text.
pub(super) struct Parser<'a> {
    // Not a Box, which must not be moved while the parser's string input points into the parser itself.
    raw: NonNull<sys::yaml_parser_t>,
    text: &'a [u8],
}

impl<'a> Parser<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        let raw = NonNull::from(Box::leak(Box::new(MaybeUninit::<sys::yaml_parser_t>::uninit()))).cast();
        // SAFETY: initialize writes the whole struct before anything reads it and has no way to fail (memory
        // that runs out aborts). The input outlives the parser by the lifetime; it is set once, before any
        // parse.
        unsafe {
            let _ = sys::yaml_parser_initialize(raw.as_ptr());
            sys::yaml_parser_set_encoding(raw.as_ptr(), sys::YAML_UTF8_ENCODING);
            sys::yaml_parser_set_input_string(raw.as_ptr(), text.as_ptr(), text.len() as u64);
        }
        Self { raw, text }
    }

    /// The next event; nothing may be asked for after an error or the end of the stream.
    pub(super) fn next(&mut self) -> Result<Event, Problem> {
        let mut raw = MaybeUninit::<sys::yaml_event_t>::uninit();
        // SAFETY: the parser is initialized; parse writes the whole event, also when it fails.
        let parsed = unsafe { sys::yaml_parser_parse(self.raw.as_ptr(), raw.as_mut_ptr()).ok };
        if !parsed {
            return Err(self.problem());
        }
        // SAFETY: the event was written by a successful parse, and is deleted exactly once after its strings
        // were copied.
        let event = unsafe {
            let event = copy(&*raw.as_ptr());
            sys::yaml_event_delete(raw.as_mut_ptr());
            event
        };
        Ok(event)
    }

    /// Why the last parse failed.
    fn problem(&self) -> Problem {
        // SAFETY: the parser is initialized. `problem` and `context` are null or point to static strings.
        let raw = unsafe {
            let parser = self.raw.as_ref();
            Failure {
                problem: text(parser.problem.cast()).unwrap_or_default(),
                mark: match parser.error {
                    sys::YAML_READER_ERROR => place_of_byte(self.text, parser.problem_offset),
                    _ => place(parser.problem_mark),
                },
                context: text(parser.context.cast()).unwrap_or_default(),
                context_line: place(parser.context_mark).line,
            }
        };
        raw.explain(self.text)
    }
}

impl Drop for Parser<'_> {
    fn drop(&mut self) {
        // SAFETY: initialized once, deleted once; the memory came from a Box of this layout.
        unsafe {
            sys::yaml_parser_delete(self.raw.as_ptr());
            drop(Box::from_raw(self.raw.cast::<MaybeUninit<sys::yaml_parser_t>>().as_ptr()));
        }
    }
}

fn place(mark: sys::yaml_mark_t) -> Mark {
    let number = |n: u64| usize::try_from(n).unwrap_or(usize::MAX).saturating_add(1);
    Mark { line: number(mark.line), column: number(mark.column) }
}

/// The reader knows only how many bytes came before what it cannot read.
fn place_of_byte(text: &[u8], offset: u64) -> Mark {
    let before = text.get(..usize::try_from(offset).unwrap_or(usize::MAX)).unwrap_or(text);
    let line = before.rsplit(|b| *b == b'\n').next().unwrap_or_default();
    Mark {
        line: before.iter().filter(|b| **b == b'\n').count() + 1,
        column: String::from_utf8_lossy(line).chars().count() + 1,
    }
}

/// # Safety
/// `raw` was written by a successful parse and not deleted yet.
unsafe fn copy(raw: &sys::yaml_event_t) -> Event {
    // SAFETY: the member of the union that is read is the one that the type names; its pointers are null
    // or valid, its strings NUL-terminated, and a scalar's value has the length that stands beside it.
    let kind = unsafe {
        match raw.type_ {
            sys::YAML_STREAM_END_EVENT => EventKind::StreamEnd,
            sys::YAML_DOCUMENT_START_EVENT => {
                let version = raw.data.document_start.version_directive.as_ref();
                EventKind::DocumentStart { version: version.map(|v| (v.major, v.minor)) }
            }
            sys::YAML_DOCUMENT_END_EVENT => EventKind::DocumentEnd,
            sys::YAML_ALIAS_EVENT => {
                EventKind::Alias { anchor: text(raw.data.alias.anchor).unwrap_or_default() }
            }
            sys::YAML_SCALAR_EVENT => {
                let scalar = &raw.data.scalar;
                let length = usize::try_from(scalar.length).unwrap_or(0);
                let value = std::slice::from_raw_parts(scalar.value, length);
                EventKind::Scalar {
                    anchor: text(scalar.anchor),
                    tag: text(scalar.tag).unwrap_or_default(),
                    plain: scalar.plain_implicit,
                    value: String::from_utf8_lossy(value).into_owned(),
                }
            }
            sys::YAML_SEQUENCE_START_EVENT => {
                EventKind::SequenceStart { anchor: text(raw.data.sequence_start.anchor) }
            }
            sys::YAML_SEQUENCE_END_EVENT => EventKind::SequenceEnd,
            sys::YAML_MAPPING_START_EVENT => {
                EventKind::MappingStart { anchor: text(raw.data.mapping_start.anchor) }
            }
            sys::YAML_MAPPING_END_EVENT => EventKind::MappingEnd,
            _ => EventKind::Other,
        }
    };
    Event { mark: place(raw.start_mark), kind }
}

/// # Safety
/// `pointer` is null or points to a NUL-terminated string.
unsafe fn text(pointer: *const u8) -> Option<String> {
    // SAFETY: as promised by the caller.
    (!pointer.is_null()).then(|| unsafe { CStr::from_ptr(pointer.cast()) }.to_string_lossy().into_owned())
}
