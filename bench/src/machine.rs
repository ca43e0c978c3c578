//! What was measured on, so that figures can be read by somebody else.

use std::path::Path;
use std::process::Command;
use std::{fs, thread};

/// A Markdown list: processor, memory, load, system, versions, date, command.
pub fn describe(dactyl: &Path, python: Option<&Path>) -> String {
    let mut lines = vec![
        format!("- processor: {}, {} cores, caches {}", processor(), cores(), caches()),
        format!("- memory: {}", memory()),
        format!("- system: {}", said(Command::new("uname").args(["-srm"]))),
        format!("- load average at the start (1, 5, 15 minutes): {}", load()),
        format!("- Dactyl: {}", said(Command::new(dactyl).arg("--version"))),
    ];
    if let Some(python) = python {
        let versions = "import sys, importlib.metadata as m; print('Python', sys.version.split()[0], \
                        *(f'{p} {m.version(p)}' for p in ('mediapipe', 'numpy', 'opencv-contrib-python')))";
        lines.push(format!("- rival: {}", said(Command::new(python).args(["-c", versions]))));
    }
    lines.push(format!("- date: {}", said(Command::new("date").args(["-u", "+%Y-%m-%d %H:%M UTC"]))));
    lines.push(format!("- command: `{}`", command_line()));
    lines.join("\n")
}

/// Cores that this process may use.
pub fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

fn processor() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    field(&info, "model name").unwrap_or("unknown").to_owned()
}

fn memory() -> String {
    let info = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kib: Option<f64> = field(&info, "MemTotal").and_then(|text| text.split(' ').next()?.parse().ok());
    kib.map_or_else(|| "unknown".to_owned(), |kib| format!("{:.1} GiB", kib / (1024.0 * 1024.0)))
}

/// The value of the first `key : value` line.
fn field<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    text.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.trim() == key)
        .map(|(_, value)| value.trim())
}

/// The caches that the first core uses.
fn caches() -> String {
    let mut caches = Vec::new();
    for index in 0..8 {
        let read = |name| {
            let path = format!("/sys/devices/system/cpu/cpu0/cache/index{index}/{name}");
            fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
        };
        let (Some(level), Some(kind), Some(size)) = (read("level"), read("type"), read("size")) else {
            break;
        };
        let kind = match kind.as_str() {
            "Data" => "d",
            "Instruction" => "i",
            _ => "",
        };
        caches.push(format!("L{level}{kind} {size}"));
    }
    if caches.is_empty() { "unknown".to_owned() } else { caches.join(", ") }
}

fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').take(3).collect::<Vec<_>>().join(", ")
}

/// As it was typed, with the program's name alone.
fn command_line() -> String {
    let arguments = std::env::args().skip(1);
    std::iter::once("dactyl-bench".to_owned()).chain(arguments).collect::<Vec<_>>().join(" ")
}

fn said(command: &mut Command) -> String {
    let text = command.output().map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    text.ok().filter(|text| !text.is_empty()).unwrap_or_else(|| "unknown".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_found_by_its_whole_name() {
        let text = "model\t\t: 17\nmodel name\t: Some CPU\n\nmodel name\t: Another\n";
        assert_eq!(field(text, "model name"), Some("Some CPU"));
        assert_eq!(field(text, "name"), None);
    }
}
