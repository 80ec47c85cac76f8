//! A terminal of the container's own.

use std::fs::File;
use std::io::{Read, Write};
use std::sync::mpsc;

use tug_runner::terminal::Terminal;
use tug_runner::{Bundle, Cancel, Stdio};

use crate::container::{Image, runtime, sh};

fn read_all(mut terminal: File) -> String {
    let mut bytes = Vec::new();
    // The end of the other side is an error here.
    let _ = terminal.read_to_end(&mut bytes);
    String::from_utf8(bytes).unwrap().replace("\r\n", "\n")
}

#[test]
fn it_is_a_real_one() {
    let Some(image) = Image::new() else { return };
    let script = "tty; test -t 0 && test -t 1 && test -t 2 && echo all; stty size; \
                  read line; stty size; echo got $line; echo direct >/dev/tty; ls -l /dev/console | grep -c '136'";
    let bundle = Bundle { rootfs: image.overlay(), spec: sh(script).terminal().build() };
    let (sender, receiver) = mpsc::channel::<Terminal>();
    let stdio = Stdio::Terminal(Box::new(move |terminal| {
        terminal.resize(30, 90).unwrap();
        sender.send(terminal).unwrap();
    }));
    let container = runtime().start(&bundle, stdio, &Cancel::new()).unwrap();
    let terminal = receiver.recv().unwrap();
    let mut keys = terminal.try_clone().unwrap().into_file();
    let resized = terminal.try_clone().unwrap();
    resized.resize(31, 91).unwrap();
    keys.write_all(b"hello\n").unwrap();
    let text = read_all(terminal.into_file());
    assert!(container.wait().unwrap().success());
    for part in ["/dev/pts/0\n", "all\n", "31 91\n", "got hello\n", "direct\n1\n"] {
        assert!(text.contains(part), "{part:?} is not in {text:?}");
    }
}

#[test]
fn control_c_interrupts() {
    let Some(image) = Image::new() else { return };
    let script = "trap 'echo interrupted; exit 7' INT; echo ready; while :; do sleep 1; done";
    let bundle = Bundle { rootfs: image.overlay(), spec: sh(script).terminal().build() };
    let (sender, receiver) = mpsc::channel::<Terminal>();
    let stdio = Stdio::Terminal(Box::new(move |terminal| sender.send(terminal).unwrap()));
    let container = runtime().start(&bundle, stdio, &Cancel::new()).unwrap();
    let mut terminal = receiver.recv().unwrap().into_file();
    let mut seen = [0; 64];
    let length = terminal.read(&mut seen).unwrap();
    assert!(seen[..length].starts_with(b"ready"));
    terminal.write_all(b"\x03").unwrap();
    assert!(read_all(terminal).contains("interrupted\n"));
    assert_eq!(container.wait().unwrap().code(), 7);
}
