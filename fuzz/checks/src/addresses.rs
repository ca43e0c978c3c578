//! Lines of `X-Forwarded-For`, and texts that name a network or the origin of a page.

use std::net::{IpAddr, Ipv4Addr};

use dactyl::proxies::Proxies;
use dactyl_config::{WebOrigin, network};
use http::{HeaderMap, HeaderName, HeaderValue};

/// What the format is made of.
pub const WORDS: &[&[u8]] = &[
    b",",
    b", ",
    b"\n",
    b"10.1.1.1",
    b"127.0.0.1",
    b"198.51.100.1",
    b"::ffff:10.0.0.1",
    b"2001:db8::1",
    b"[2001:db8::1]:443",
    b"fd00::2",
    b"[",
    b"]",
    b":",
    b"/8",
    b"/129",
    b"%eth0",
    b"http://",
    b"https://",
    b"file://",
    b"null",
    b"a.example",
    b":443",
    b":+80",
    b"@",
    b"\\",
];

/// Inputs of the right form.
pub fn seeds() -> Vec<Vec<u8>> {
    [
        "203.0.113.5, 198.51.100.1, 10.1.1.1",
        "2001:db8::1\n[2001:db8::1]:443, fd00::2\n10.0.0.1:80",
        "::ffff:198.51.100.1,127.0.0.1",
        "10.0.0.0/8\nfd00::/8\nunknown",
        "https://a.example:8443\nhttp://[::1]:80\nfile://\napp+x://localhost",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}

/// Checks some lines. Gives whether something of it was accepted.
///
/// # Panics
/// Where something does not hold.
pub fn check(input: &[u8]) -> bool {
    let proxies = Proxies::new(&["127.0.0.1", "10.0.0.0/8", "fd00::/8"].map(str::to_owned));
    let header = HeaderName::from_static("x-forwarded-for");
    let client_of = |lines: &mut dyn Iterator<Item = &[u8]>| {
        let values = lines.filter_map(|line| HeaderValue::from_bytes(line).ok());
        let headers: HeaderMap = values.map(|value| (header.clone(), value)).collect();
        proxies.client(IpAddr::V4(Ipv4Addr::LOCALHOST), &headers)
    };
    let client = client_of(&mut input.split(|byte| *byte == b'\n'));
    assert_eq!(client, client.to_canonical(), "one client has two addresses");
    assert_eq!(client_of(&mut [client.to_string().as_bytes()].into_iter()), client, "written and read again");
    // A proxy that nobody believes cannot say who it is.
    let stranger: IpAddr = Ipv4Addr::new(192, 0, 2, 7).into();
    let said = HeaderValue::from_bytes(input).map(|value| HeaderMap::from_iter([(header.clone(), value)]));
    assert_eq!(proxies.client(stranger, &said.unwrap_or_default()), stranger);

    let mut accepted = false;
    for line in String::from_utf8_lossy(input).split('\n') {
        if let Some(read) = network(line) {
            accepted = true;
            assert_eq!(network(&read.to_string()), Some(read), "{line:?}");
        }
        if let Some(origin) = WebOrigin::parse(line) {
            accepted = true;
            assert_eq!(WebOrigin::parse_listed(line), Some(origin), "{line:?}");
            assert!(WebOrigin::parse(&line.to_ascii_uppercase()) == Some(origin), "{line:?} in capitals");
        }
    }
    accepted
}
