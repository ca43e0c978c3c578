//! The PROXY protocol, versions 1 and 2: what a proxy sends before anything else to say whose connection it passes on.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;

use ppp::{v1, v2};
use tokio::io::{AsyncRead, AsyncReadExt};

/// Longest header of version 1, its line end included.
const LONGEST_LINE: usize = 107;
/// Bytes of version 2 before the addresses.
const START: usize = 16;
/// Longest rest of version 2 that is taken. Addresses are 216 bytes at most; proxies add names and certificates' subjects.
const LONGEST_REST: usize = 4096;

/// Reads the header, and nothing of what follows it: the address of the client, or `None` where the proxy speaks for
/// itself, as in a health check, or for a connection that has no address.
///
/// # Errors
///
/// [`ErrorKind::InvalidData`] for anything but a header, others as reading has them.
pub async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<SocketAddr>> {
    let mut header = vec![0; v2::PROTOCOL_PREFIX.len()];
    stream.read_exact(&mut header).await?;
    if header == v2::PROTOCOL_PREFIX {
        read_block(stream, header).await
    } else if header.starts_with(v1::PROTOCOL_PREFIX.as_bytes()) {
        read_line(stream, header).await
    } else {
        Err(invalid("it begins with something else"))
    }
}

async fn read_line(
    stream: &mut (impl AsyncRead + Unpin),
    mut header: Vec<u8>,
) -> io::Result<Option<SocketAddr>> {
    while !header.ends_with(v1::PROTOCOL_SUFFIX.as_bytes()) {
        if header.len() == LONGEST_LINE {
            return Err(invalid("the line does not end"));
        }
        // A byte at a time, since what follows the line is the client's.
        header.push(stream.read_u8().await?);
    }
    match v1::Header::try_from(header.as_slice()).map_err(invalid)?.addresses {
        v1::Addresses::Tcp4(of) => Ok(Some((of.source_address, of.source_port).into())),
        v1::Addresses::Tcp6(of) => Ok(Some((of.source_address, of.source_port).into())),
        v1::Addresses::Unknown => Ok(None),
    }
}

async fn read_block(
    stream: &mut (impl AsyncRead + Unpin),
    mut header: Vec<u8>,
) -> io::Result<Option<SocketAddr>> {
    header.resize(START, 0);
    stream.read_exact(&mut header[v2::PROTOCOL_PREFIX.len()..]).await?;
    let rest = usize::from(u16::from_be_bytes([header[START - 2], header[START - 1]]));
    if rest > LONGEST_REST {
        return Err(invalid(format!("{rest} bytes of addresses are too many")));
    }
    header.resize(START + rest, 0);
    stream.read_exact(&mut header[START..]).await?;
    let read = v2::Header::try_from(header.as_slice()).map_err(invalid)?;
    match read.addresses {
        _ if read.command == v2::Command::Local => Ok(None),
        v2::Addresses::IPv4(of) => Ok(Some((of.source_address, of.source_port).into())),
        v2::Addresses::IPv6(of) => Ok(Some((of.source_address, of.source_port).into())),
        v2::Addresses::Unix(_) | v2::Addresses::Unspecified => Ok(None),
    }
}

fn invalid(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, cause)
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use proptest::prelude::*;

    use super::*;

    /// What is read of those bytes, and how many of them are left.
    fn read_all(bytes: &[u8]) -> (Result<Option<SocketAddr>, ErrorKind>, usize) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let mut rest = bytes;
        let read = runtime.block_on(read(&mut rest));
        (read.map_err(|error| error.kind()), rest.len())
    }

    /// Version 2 as HAProxy writes it.
    fn block(command: u8, family: u8, addresses: &[u8]) -> Vec<u8> {
        let length = u16::try_from(addresses.len()).unwrap().to_be_bytes();
        [v2::PROTOCOL_PREFIX, &[0x20 | command, family], &length, addresses].concat()
    }

    #[test]
    fn both_versions_name_the_client_and_leave_what_follows() {
        let client = Some("198.51.100.7:4711".parse().unwrap());
        let line = b"PROXY TCP4 198.51.100.7 192.0.2.1 4711 443\r\nGET /ws".to_vec();
        assert_eq!(read_all(&line), (Ok(client), 7));
        let addresses = [198, 51, 100, 7, 192, 0, 2, 1, 0x12, 0x67, 1, 187];
        // With an addition that is not read.
        let with_name = [&addresses[..], &[2, 0, 1, b'x']].concat();
        for addresses in [addresses.to_vec(), with_name] {
            let block = [block(1, 0x11, &addresses), b"GET /ws".to_vec()].concat();
            assert_eq!(read_all(&block), (Ok(client), 7));
        }
    }

    #[test]
    fn a_proxy_may_speak_for_itself() {
        for header in [
            b"PROXY UNKNOWN\r\n".to_vec(),
            b"PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n".to_vec(),
            block(0, 0, &[]),
            block(0, 0x11, &[198, 51, 100, 7, 192, 0, 2, 1, 0, 1, 0, 2]),
            block(1, 0x31, &[0; 216]),
        ] {
            assert_eq!(read_all(&header), (Ok(None), 0), "{header:?}");
        }
    }

    #[test]
    fn anything_else_is_refused_without_waiting_for_more() {
        for bytes in [
            b"GET /ws HTTP/1.1\r\n".to_vec(),
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03abc".to_vec(),
            b"PROXY TCP4 198.51.100.7 192.0.2.1 4711 70000\r\n".to_vec(),
            b"PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n".to_vec(),
            [b"PROXY UNKNOWN ".as_slice(), &[b'x'; 200]].concat(),
            block(1, 0x11, &[198, 51, 100, 7]),
            block(1, 0x11, &[0; LONGEST_REST + 1]),
        ] {
            assert_eq!(read_all(&bytes).0, Err(ErrorKind::InvalidData), "{bytes:?}");
        }
        assert_eq!(read_all(b"PROXY TCP4 198.51").0, Err(ErrorKind::UnexpectedEof));
        assert_eq!(read_all(b"").0, Err(ErrorKind::UnexpectedEof));
    }

    proptest! {
        #[test]
        fn every_address_is_read_as_it_is_written(
            address in any::<IpAddr>(),
            port in any::<u16>(),
            follows in proptest::collection::vec(any::<u8>(), 0..20),
        ) {
            let client = Some(SocketAddr::new(address, port));
            let (family, octets) = match address {
                IpAddr::V4(address) => (1, address.octets().to_vec()),
                IpAddr::V6(address) => (2, address.octets().to_vec()),
            };
            let kind = if family == 1 { "TCP4" } else { "TCP6" };
            let line = format!("PROXY {kind} {address} {address} {port} {port}\r\n").into_bytes();
            let ports = [port.to_be_bytes(), port.to_be_bytes()].concat();
            let block = block(1, family << 4 | 1, &[octets.clone(), octets, ports].concat());
            for header in [line, block] {
                let bytes = [header, follows.clone()].concat();
                prop_assert_eq!(read_all(&bytes), (Ok(client), follows.len()));
            }
        }

        #[test]
        fn no_bytes_make_it_read_beyond_its_limits(
            start in prop_oneof![
                Just(v2::PROTOCOL_PREFIX.to_vec()),
                Just(b"PROXY ".to_vec()),
                Just(Vec::new()),
            ],
            rest in proptest::collection::vec(any::<u8>(), 0..300),
        ) {
            let bytes = [start, rest].concat();
            let (_, left) = read_all(&bytes);
            prop_assert!(bytes.len() - left <= START + LONGEST_REST);
        }
    }
}
