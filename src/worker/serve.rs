//! The life of the child: close the sandbox, say so, then answer one request after another.

use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::frame::{self, FrameError, REQUEST_LIMIT, RESPONSE_LIMIT};
use super::{Kind, Request, Response, Sandbox, handle, probe, sandbox};

/// Arguments of the hidden `windlass worker` command. Only [`super::Pool`] writes them.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// What the worker may reach.
    #[arg(long, value_enum)]
    pub kind: Kind,
    /// Directory of the mirrors.
    #[arg(long)]
    pub cache: PathBuf,
    /// Bytes of memory that it may allocate.
    #[arg(long)]
    pub memory: u64,
    /// Process id of the controller, with which the worker dies.
    #[arg(long)]
    pub parent: u32,
}

/// What a worker writes.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Message {
    /// The first frame: the sandbox is closed.
    Ready(Sandbox),
    /// The answer to the request before.
    Answer(Box<Response>),
    /// The answer is larger than a frame may be.
    TooLarge,
}

/// Serves requests from standard input until it is closed, then ends the process with code 0, or 1 when the
/// pipe or the sandbox fails. Must be the first thing that the process does: a second thread would stay
/// outside the sandbox, so it refuses to start with one.
pub fn serve(args: &Args) -> ! {
    let code = match run(args) {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("{error}");
            1
        }
    };
    std::process::exit(code)
}

fn run(args: &Args) -> Result<(), FrameError> {
    let (reader, mut writer) = pipes()?;
    let sandbox = sandbox::enter(args.kind, &args.cache, args.memory, args.parent)?;
    writer.write_all(&frame::encode(&Message::Ready(sandbox), RESPONSE_LIMIT)?)?;
    answer_all(args.kind, &mut BufReader::new(reader), &mut writer)
}

fn answer_all(kind: Kind, reader: &mut impl Read, writer: &mut impl Write) -> Result<(), FrameError> {
    while let Some(body) = frame::read(reader, REQUEST_LIMIT)? {
        // What serde says of a value that does not fit may quote it, and requests carry credentials.
        let request: Request = serde_json::from_slice(&body)
            .map_err(|error| io::Error::other(format!("request: {:?} error", error.classify())))?;
        drop(body);
        if request.kind() != kind {
            return Err(
                io::Error::other(format!("a {kind} worker was asked for {} work", request.kind())).into()
            );
        }
        let response = match request {
            Request::Probe(request) => Response::Probed(probe::run(request.probe)),
            request => handle(request),
        };
        let frame = match frame::encode(&Message::Answer(Box::new(response)), RESPONSE_LIMIT) {
            Err(FrameError::TooLarge { .. }) => frame::encode(&Message::TooLarge, RESPONSE_LIMIT)?,
            other => other?,
        };
        writer.write_all(&frame)?;
        writer.flush()?;
    }
    Ok(())
}

/// The two ends of the pipe, moved away from standard input and output, so that nothing that a library
/// prints or reads gets between the frames. Closes everything else that was inherited.
#[cfg(target_os = "linux")]
fn pipes() -> io::Result<(File, File)> {
    use std::os::fd::AsFd;

    // SAFETY: nothing in this process has opened a file yet. Kernels before 5.9 lack the call; there the
    // parent's close-on-exec flags do the same.
    unsafe { libc::close_range(3, libc::c_uint::MAX, 0) };
    let reader = io::stdin().as_fd().try_clone_to_owned()?;
    let writer = io::stdout().as_fd().try_clone_to_owned()?;
    let nothing = File::open("/dev/null")?;
    redirect(nothing.as_fd(), 0)?;
    redirect(io::stderr().as_fd(), 1)?;
    Ok((reader.into(), writer.into()))
}

#[cfg(target_os = "linux")]
fn redirect(from: std::os::fd::BorrowedFd<'_>, to: i32) -> io::Result<()> {
    use std::os::fd::AsRawFd;

    // SAFETY: both numbers are open files, and standard input and output are never closed in Rust.
    match unsafe { libc::dup2(from.as_raw_fd(), to) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

#[cfg(all(unix, not(target_os = "linux")))]
fn pipes() -> io::Result<(File, File)> {
    use std::os::fd::AsFd;

    let reader = io::stdin().as_fd().try_clone_to_owned()?;
    let writer = io::stdout().as_fd().try_clone_to_owned()?;
    Ok((reader.into(), writer.into()))
}
