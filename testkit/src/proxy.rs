//! A proxy that tunnels every `CONNECT` to one address, whatever name was asked for: a stand-in for both a proxy and
//! a name server.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

/// The proxy. Its threads end with the process.
pub struct TunnelProxy {
    port: u16,
    asked: Arc<Mutex<Vec<String>>>,
}

impl TunnelProxy {
    /// Starts a proxy in front of a loopback port.
    pub fn start(target: u16) -> io::Result<TunnelProxy> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let port = listener.local_addr()?.port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let seen = Arc::clone(&seen);
                std::thread::spawn(move || tunnel(&stream, target, &seen));
            }
        });
        Ok(TunnelProxy { port, asked })
    }

    /// `http://127.0.0.1:port`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The first lines and `Proxy-Authorization` fields of all requests so far.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn tunnel(mut client: &TcpStream, target: u16, seen: &Mutex<Vec<String>>) -> io::Result<()> {
    let mut reader = BufReader::new(client.try_clone()?);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") && head.len() < HEAD_BYTES_MAX {
        if reader.read_line(&mut head)? == 0 {
            return Ok(());
        }
    }
    let noted = head
        .lines()
        .enumerate()
        .filter(|(at, line)| *at == 0 || line.to_ascii_lowercase().starts_with("proxy-authorization:"));
    seen.lock().unwrap_or_else(PoisonError::into_inner).extend(noted.map(|(_, line)| line.to_owned()));
    if !head.starts_with("CONNECT ") {
        return client.write_all(b"HTTP/1.1 405 Tunnels only\r\ncontent-length: 0\r\n\r\n");
    }
    let server = TcpStream::connect(("127.0.0.1", target))?;
    client.write_all(b"HTTP/1.1 200 Established\r\n\r\n")?;
    let (mut up, mut down) = (server.try_clone()?, client.try_clone()?);
    let upward = std::thread::spawn(move || {
        let copied = io::copy(&mut reader as &mut dyn Read, &mut up);
        // The other side may be gone already.
        let _ = up.shutdown(Shutdown::Write);
        copied
    });
    io::copy(&mut &server, &mut down)?;
    down.shutdown(Shutdown::Both)?;
    let _ = upward.join();
    Ok(())
}

const HEAD_BYTES_MAX: usize = 64 << 10;
