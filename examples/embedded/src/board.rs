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

#[unsafe(no_mangle)]
extern "C" fn start() -> ! {
    #[cfg(feature = "probe")]
    crate::probe::run();
    stop(crate::main())
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

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    stop(false)
}
