//! As little of a board as will do: the reset, a stop, and a panic that stops.

use core::arch::{asm, global_asm};
use core::panic::PanicInfo;

// The FPU first: the compiler may use its registers anywhere.
global_asm!(
    ".section .text.reset,\"ax\",%progbits",
    ".global reset",
    ".thumb_func",
    "reset:",
    "ldr r0, =0xE000ED88",
    "ldr r1, [r0]",
    "orr r1, r1, #(0xF << 20)",
    "str r1, [r0]",
    "dsb",
    "isb",
    "bl start",
    ".global fault",
    ".thumb_func",
    "fault:",
    "b fault",
    ".ltorg",
);

// What the compiler copies, fills and compares memory with, in the place of the library's own,
// which are faster for long stretches and take a kilobyte more. A Cortex-M4 loads and stores
// words at any address.
global_asm!(
    ".section .text.memory,\"ax\",%progbits",
    // To r0 from r1, r2 bytes.
    ".global __aeabi_memcpy",
    ".thumb_func",
    "__aeabi_memcpy:",
    "subs r2, #4",
    "bcc 2f",
    "ldr r3, [r1], #4",
    "str r3, [r0], #4",
    "b __aeabi_memcpy",
    "2: adds r2, #4",
    "3: subs r2, #1",
    "bcc 4f",
    "ldrb r3, [r1], #1",
    "strb r3, [r0], #1",
    "b 3b",
    "4: bx lr",
    // At r0, r1 bytes of what is in r2.
    ".global __aeabi_memclr",
    ".thumb_func",
    "__aeabi_memclr:",
    "movs r2, #0",
    ".global __aeabi_memset",
    ".thumb_func",
    "__aeabi_memset:",
    "subs r1, #1",
    "bcc 5f",
    "strb r2, [r0], #1",
    "b __aeabi_memset",
    "5: bx lr",
    // r2 bytes at r0 and r1.
    ".global memcmp",
    ".thumb_func",
    "memcmp:",
    "subs r2, #1",
    "bcc 6f",
    "ldrb r3, [r0], #1",
    "ldrb r12, [r1], #1",
    "subs r3, r3, r12",
    "beq memcmp",
    "mov r0, r3",
    "bx lr",
    "6: movs r0, #0",
    "bx lr",
);

#[unsafe(no_mangle)]
extern "C" fn start() -> ! {
    #[cfg(feature = "probe")]
    crate::probe::run();
    stop(crate::answers_as_it_should())
}

/// Ends the program, under a debugger or in QEMU.
fn stop(well: bool) -> ! {
    const EXIT: u32 = 0x18;
    let reason: u32 = if well { 0x2_0026 } else { 0x2_0023 };
    loop {
        // SAFETY: semihosting's exit takes no pointer.
        unsafe { asm!("bkpt 0xAB", in("r0") EXIT, in("r1") reason) };
    }
}

/// Writes to the console of the debugger, or of QEMU.
#[cfg(any(feature = "answers", feature = "probe"))]
pub fn print(text: &str) {
    const WRITE: u32 = 0x03;
    for byte in text.as_bytes() {
        // SAFETY: semihosting reads the one byte.
        unsafe { asm!("bkpt 0xAB", inout("r0") WRITE => _, in("r1") byte) };
    }
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    stop(false)
}
