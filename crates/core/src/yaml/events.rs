//! The parser's events, made safe. All unsafe code of this crate is in this file.

use std::ffi::CStr;
use std::marker::PhantomData;
use std::mem::MaybeUninit;

use libyaml_rs as sys;

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
    DocumentStart,
    DocumentEnd,
    Alias { anchor: String },
    Scalar { anchor: Option<String>, tag: String, plain: bool, value: String },
    SequenceStart { anchor: Option<String> },
    SequenceEnd,
    MappingStart { anchor: Option<String> },
    MappingEnd,
}

/// A parser of one text.
pub(super) struct Parser<'a> {
    // Boxed: the parser's string input points into the parser itself.
    raw: Box<MaybeUninit<sys::yaml_parser_t>>,
    usable: bool,
    input: PhantomData<&'a [u8]>,
}

impl<'a> Parser<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        let mut raw = Box::new(MaybeUninit::<sys::yaml_parser_t>::uninit());
        // SAFETY: initialize writes the whole struct before anything reads it. The input outlives the parser
        // by the lifetime, and set_input_string is called once, before any parse.
        let usable = unsafe {
            let usable = sys::yaml_parser_initialize(raw.as_mut_ptr()).ok;
            if usable {
                sys::yaml_parser_set_encoding(raw.as_mut_ptr(), sys::YAML_UTF8_ENCODING);
                sys::yaml_parser_set_input_string(raw.as_mut_ptr(), text.as_ptr(), text.len() as u64);
            }
            usable
        };
        Self { raw, usable, input: PhantomData }
    }

    /// The next event; nothing may be asked for after an error or the end of the stream.
    pub(super) fn next(&mut self) -> Result<Event, Problem> {
        if !self.usable {
            return Ok(Event { mark: Mark::default(), kind: EventKind::StreamEnd });
        }
        let mut raw = MaybeUninit::<sys::yaml_event_t>::uninit();
        // SAFETY: the parser is initialized; parse writes the whole event, also when it fails.
        let parsed = unsafe { sys::yaml_parser_parse(self.raw.as_mut_ptr(), raw.as_mut_ptr()).ok };
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
    fn problem(&mut self) -> Problem {
        // SAFETY: the parser is initialized. `problem` and `context` are null or point to static strings.
        let (problem, context, mark) = unsafe {
            let parser = &*self.raw.as_ptr();
            let text = |pointer: *const i8| {
                (!pointer.is_null()).then(|| CStr::from_ptr(pointer.cast()).to_string_lossy().into_owned())
            };
            (text(parser.problem), text(parser.context), parser.problem_mark)
        };
        let message = problem.unwrap_or_else(|| "not UTF-8, or cut off".into());
        let message = match message.as_str() {
            // By far the most common cause, and one that cannot be seen.
            "found character that cannot start any token" => {
                format!("{message}; if it is a tab, indent with spaces")
            }
            _ => message,
        };
        let message = match context {
            Some(context) => format!("{message} ({context})"),
            None => message,
        };
        Problem::syntax(place(mark), message)
    }
}

impl Drop for Parser<'_> {
    fn drop(&mut self) {
        if self.usable {
            // SAFETY: initialized once, deleted once.
            unsafe { sys::yaml_parser_delete(self.raw.as_mut_ptr()) }
        }
    }
}

fn place(mark: sys::yaml_mark_t) -> Mark {
    let number = |n: u64| usize::try_from(n).unwrap_or(usize::MAX).saturating_add(1);
    Mark { line: number(mark.line), column: number(mark.column) }
}

/// # Safety
/// `raw` was written by a successful parse and not deleted yet.
unsafe fn copy(raw: &sys::yaml_event_t) -> Event {
    // SAFETY: the member of the union that is read is the one that the type names; its strings are null or
    // NUL-terminated, and a scalar's value has the length that stands beside it.
    let kind = unsafe {
        match raw.type_ {
            sys::YAML_STREAM_END_EVENT => EventKind::StreamEnd,
            sys::YAML_DOCUMENT_START_EVENT => EventKind::DocumentStart,
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
