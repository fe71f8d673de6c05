//! One step of the server, and one of the client, beside their peers, in one run. What the
//! steps are is said in `cases`.

#![allow(missing_docs, clippy::unwrap_used)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};

mod cases;

use cases::bytes::Challenges;
use cases::{client, floor, ruma, server};

struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

// Counting allocations takes an allocator of one's own; the crate itself forbids `unsafe`.
#[allow(unsafe_code)]
// SAFETY: every call is passed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: as the caller promised.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: as the caller promised.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations(name: &str, run: impl FnOnce()) -> u64 {
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    run();
    let made = ALLOCATIONS.load(Ordering::Relaxed) - before;
    println!("allocations/{name}: {made}");
    made
}

fn server_step(c: &mut Criterion) {
    let mut ours = server::Ours::new();
    let ruma = ruma::Server::new(&server::session());
    let mut floor = floor::Server::new(ours.request(), ours.answer());
    println!("request: {} bytes, ours answers {} bytes", ours.request().len(), ours.answer().len());
    println!("ruma answers {} bytes", ruma.step().len());
    let made = allocations("ours", || ours.step());
    assert_eq!(made, 0, "a step of the server allocates nothing");
    allocations("ruma", || drop(ruma.step()));

    let mut group = c.benchmark_group("server_step");
    group.throughput(Throughput::Bytes(ours.request().len() as u64));
    group.bench_function("ours", |b| b.iter(|| ours.step()));
    group.bench_function("ruma", |b| b.iter(|| black_box(ruma.step())));
    group.bench_function("floor", |b| b.iter(|| floor.step()));
    group.finish();
}

fn server_parts(c: &mut Criterion) {
    let mut group = c.benchmark_group("server_parts");
    let server::Ours { host, mut slot, .. } = server::Ours::new();
    group.bench_function("parse", |b| b.iter(|| black_box(host.parse())));
    let request = host.checked();
    group.bench_function("digest", |b| b.iter(|| black_box(host.call(black_box(&request)))));
    let call = host.call(&request);
    group.bench_function("transition", |b| {
        b.iter(|| {
            let _ = black_box(host.transition(black_box(call), &mut slot));
        });
    });
    let challenge = host.transition(call, &mut slot);
    let mut out = String::with_capacity(1024);
    group.bench_function("encode", |b| {
        b.iter(|| {
            out.clear();
            black_box(&challenge).write_body(&mut out).unwrap();
            black_box(&out);
        });
    });
    let ruma = ruma::Server::new(&server::session());
    group.bench_function("ruma_parse", |b| b.iter(|| black_box(ruma.parse())));
    let info = ruma.info();
    group.bench_function("ruma_encode", |b| b.iter(|| black_box(ruma::write(&info))));
    group.finish();
}

fn client_steps(c: &mut Criterion) {
    client_step(c, "client_step", Challenges::same);
    client_step(c, "client_step_changed", Challenges::changed);
}

fn client_step(c: &mut Criterion, name: &str, challenges: fn(&str) -> Challenges) {
    let session = server::session();
    let challenges = || challenges(&session);
    let mut ours = client::Ours::new(challenges());
    let mut ruma = ruma::Client::new(challenges());
    let mut floor = floor::Client::new(challenges());
    let made = allocations(&format!("{name}_ours"), || ours.step());
    assert_eq!(made, 0, "a step of the client allocates nothing");
    allocations(&format!("{name}_ruma"), || drop(ruma.step()));

    let length = challenges().len();
    println!("challenge: {length} bytes");
    let mut group = c.benchmark_group(name);
    group.throughput(Throughput::Bytes(length as u64));
    group.bench_function("ours", |b| b.iter(|| ours.step()));
    group.bench_function("ruma", |b| b.iter(|| black_box(ruma.step())));
    group.bench_function("floor", |b| b.iter(|| floor.step()));
    group.finish();
}

criterion_group!(benches, server_step, server_parts, client_steps);
criterion_main!(benches);
