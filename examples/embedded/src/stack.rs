//! What a call takes of the stack: the stack below is painted, the call made, and the paint
//! looked at.

use core::arch::asm;
use core::fmt::Write;

const PAINT: u32 = 0xA5A5_A5A5;
const PAINTED_WORDS: usize = 6 * 1024;

/// Runs `call`; returns what it returned and how many bytes of stack it took.
#[inline(never)]
fn depth<T>(call: impl FnOnce() -> T) -> (T, usize) {
    let bottom: usize;
    // SAFETY: reads a register.
    unsafe { asm!("mov {}, sp", out(reg) bottom) };
    let top = (bottom & !3) as *mut u32;
    for word in 1..=PAINTED_WORDS {
        // SAFETY: below the stack pointer, and within the 64 KiB of RAM: nobody's.
        unsafe { top.sub(word).write_volatile(PAINT) };
    }
    let value = call_it(call);
    let mut untouched = PAINTED_WORDS;
    // SAFETY: as above.
    while untouched > 0 && unsafe { top.sub(untouched).read_volatile() } == PAINT {
        untouched -= 1;
    }
    (value, untouched * 4)
}

#[inline(never)]
fn call_it<T>(call: impl FnOnce() -> T) -> T {
    call()
}

pub fn report(name: &str, bytes: usize) {
    let mut line: heapless::String<96> = heapless::String::new();
    let _ = writeln!(line, "stack {bytes:5} {name}");
    crate::board::print(&line);
}

pub fn measured<T>(name: &str, call: impl FnOnce() -> T) -> T {
    let (value, bytes) = depth(call);
    report(name, bytes);
    value
}
