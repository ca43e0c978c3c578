//! The header that a proxy sends before anything else, and what follows it.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use dactyl::proxies::read_header;

use crate::assert_told;

/// What the format is made of.
pub const WORDS: &[&[u8]] = &[
    b"\r\n\r\n\0\r\nQUIT\n",
    b"PROXY ",
    b"PROXY TCP4 ",
    b"TCP6 ",
    b"UNKNOWN",
    b"\r\n",
    b"\r",
    b"255.255.255.255 ",
    b"::1 ",
    b"::ffff:192.0.2.1 ",
    b"65535",
    b"\x20",
    b"\x21",
    b"\x11",
    b"\x21\x21\0\x24",
    b"\x21\x31\0\xD8",
    b"\0\x0C",
    b"\x10\0",
    b"\xFF\xFF",
    b"\x03\0\x04",
];

/// Most bytes that are ever taken of what a connection begins with.
const LONGEST_HEADER: usize = 16 + 4096;

/// Inputs of the right form.
pub fn seeds() -> Vec<Vec<u8>> {
    let block = |command: u8, family: u8, addresses: &[u8]| {
        let length = u16::try_from(addresses.len()).expect("a few bytes").to_be_bytes();
        [b"\r\n\r\n\0\r\nQUIT\n", &[0x20 | command, family][..], &length, addresses, b"GET /ws"].concat()
    };
    let addresses = [198, 51, 100, 7, 192, 0, 2, 1, 0x12, 0x67, 1, 187];
    vec![
        b"PROXY TCP4 198.51.100.7 192.0.2.1 4711 443\r\nGET /ws".to_vec(),
        b"PROXY TCP6 2001:db8::1 ::1 4711 443\r\nGET /ws".to_vec(),
        b"PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n".to_vec(),
        block(1, 0x11, &addresses),
        block(1, 0x11, &[&addresses[..], &[2, 0, 1, b'x', 4, 0, 2, 0, 0]].concat()),
        block(1, 0x21, &[7; 36]),
        block(1, 0x31, &[0; 216]),
        block(1, 0x11, &[0; 5000]),
        block(0, 0, &[]),
    ]
}

/// Checks what one connection begins with. Gives whether something of it was accepted.
///
/// # Panics
/// Where something does not hold.
pub fn check(input: &[u8]) -> bool {
    let (read, rest) = read(input);
    let header = &input[..input.len() - rest];
    assert!(header.len() <= LONGEST_HEADER, "{} bytes are taken", header.len());
    let address = match read {
        Ok(address) => address,
        Err(error) => {
            assert_told(&error.to_string());
            return false;
        }
    };
    // What follows the header is the client's.
    assert_eq!(read_whole(header), address);
    let Some(address) = address else { return true };
    let (kind, ip, port) = (if address.is_ipv4() { "TCP4" } else { "TCP6" }, address.ip(), address.port());
    let line = format!("PROXY {kind} {ip} {ip} {port} {port}\r\n");
    assert_eq!(read_whole(line.as_bytes()), Some(address), "{line}");
    true
}

fn read_whole(header: &[u8]) -> Option<SocketAddr> {
    let (read, rest) = read(header);
    assert_eq!(rest, 0, "some of it is left");
    read.expect("a header that was accepted")
}

/// What is read, and how many bytes are left.
fn read(mut bytes: &[u8]) -> (io::Result<Option<SocketAddr>>, usize) {
    let read = {
        let reading = pin!(read_header(&mut bytes));
        match reading.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(read) => read,
            Poll::Pending => panic!("bytes that are there are waited for"),
        }
    };
    (read, bytes.len())
}
