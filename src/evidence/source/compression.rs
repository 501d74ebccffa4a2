//! Streams that are compressed, as their first bytes tell.

use std::io::{self, Read};

use flate2::read::MultiGzDecoder;
use ruzstd::decoding::StreamingDecoder;

use super::super::lines::Stream;

/// The stream, decompressed if it starts like gzip or zstd. Standard input has no file name that
/// could tell.
pub(super) fn decompressed(stream: Box<dyn Read + Send>) -> io::Result<Box<dyn Read + Send>> {
    let mut stream = Stream::new(stream);
    let head = stream.peek(4)?;
    if head.starts_with(b"\x1f\x8b") {
        return Ok(Box::new(MultiGzDecoder::new(io::BufReader::with_capacity(1 << 16, stream))));
    }
    if head.starts_with(b"\x28\xb5\x2f\xfd") || matches!(head, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..])
    {
        return Ok(Box::new(Frames { next: Some(stream), frame: None }));
    }
    Ok(Box::new(stream))
}

/// Frames of a Zstandard file, one after another.
struct Frames<R: Read> {
    next: Option<Stream<R>>,
    frame: Option<Box<StreamingDecoder<Stream<R>, ruzstd::decoding::FrameDecoder>>>,
}

impl<R: Read> Read for Frames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if let Some(frame) = &mut self.frame {
                let read = frame.read(buffer)?;
                if read > 0 || buffer.is_empty() {
                    return Ok(read);
                }
            }
            if let Some(frame) = self.frame.take() {
                self.next = Some(frame.into_inner());
            }
            let Some(mut stream) = self.next.take() else { return Ok(0) };
            if stream.peek(1)?.is_empty() {
                return Ok(0);
            }
            if let [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] = stream.peek(8)? {
                skip_frame(&mut stream)?;
                self.next = Some(stream);
                continue;
            }
            let frame = StreamingDecoder::new(stream).map_err(io::Error::other)?;
            self.frame = Some(Box::new(frame));
        }
    }
}

/// Skips a frame that does not hold data.
fn skip_frame(stream: &mut impl Read) -> io::Result<()> {
    let mut head = [0; 8];
    stream.read_exact(&mut head)?;
    let [.., a, b, c, d] = head;
    let length = u64::from(u32::from_le_bytes([a, b, c, d]));
    io::copy(&mut stream.take(length), &mut io::sink()).map(drop)
}
