//! How many instructions one step of the server and one of the client execute, beside their
//! peers: the same in every run, however busy the machine is. What the steps are is said in
//! `cases`. `.ci/instructions` runs it, and compares the ratios with those of `ratios.txt`.
//!
//! Everything is set up before the count begins, and every step has been made before.

#![allow(missing_docs)]

use std::hint::black_box;

use gungraun::Callgrind;
use gungraun::prelude::*;
use matrix_uia::endpoint::Checked;
use matrix_uia::endpoint::password::ChangePasswordRequest;

mod cases;

use cases::bytes::Challenges;
use cases::{client, floor, ruma, server};

type Call = matrix_uia::Call<'static, matrix_uia::server::operation::ChangePassword>;
type Challenge = matrix_uia::server::respond::Challenge<'static>;

// What a benchmark takes is made by its setup, and comes in a box: to move it counts one
// instruction, whatever it is. It goes out as it came, so that its drop is not counted.

fn ours() -> Box<server::Ours> {
    Box::new(server::Ours::new())
}

fn peer() -> Box<ruma::Server> {
    Box::new(ruma::Server::new(&server::session()))
}

fn floor() -> Box<floor::Server> {
    let ours = server::Ours::new();
    Box::new(floor::Server::new(ours.request(), ours.answer()))
}

#[library_benchmark]
#[bench::step(setup = ours)]
fn server_step(mut ours: Box<server::Ours>) -> Box<server::Ours> {
    ours.step();
    ours
}

#[library_benchmark]
#[bench::step(setup = peer)]
fn server_ruma(peer: Box<ruma::Server>) -> Box<ruma::Server> {
    drop(black_box(peer.step()));
    peer
}

#[library_benchmark]
#[bench::step(setup = floor)]
fn server_floor(mut floor: Box<floor::Server>) -> Box<floor::Server> {
    floor.step();
    floor
}

fn host() -> &'static server::Host {
    &Box::leak(ours()).host
}

fn checked() -> (&'static server::Host, &'static Checked<ChangePasswordRequest<'static>>) {
    let host = host();
    (host, Box::leak(Box::new(host.checked())))
}

fn called() -> (&'static server::Host, &'static Call, Box<server::Slot>) {
    let (host, request) = checked();
    (host, Box::leak(Box::new(host.call(request))), Box::new(host.slot()))
}

fn challenged() -> (&'static Challenge, Box<String>) {
    let (host, call, mut slot) = called();
    let challenge = Box::leak(Box::new(host.transition(*call, &mut slot)));
    (challenge, Box::new(String::with_capacity(1024)))
}

#[library_benchmark]
#[bench::part(setup = host)]
fn server_parse(host: &'static server::Host) {
    let _ = black_box(host.parse());
}

#[library_benchmark]
#[bench::part(setup = checked)]
fn server_digest((host, request): (&server::Host, &Checked<ChangePasswordRequest<'static>>)) {
    let _ = black_box(host.call(request));
}

#[library_benchmark]
#[bench::part(setup = called)]
fn server_transition(
    (host, call, mut slot): (&'static server::Host, &Call, Box<server::Slot>),
) -> Box<server::Slot> {
    let _ = black_box(host.transition(*call, &mut slot));
    slot
}

#[library_benchmark]
#[bench::part(setup = challenged)]
fn server_write((challenge, mut out): (&Challenge, Box<String>)) -> Box<String> {
    challenge.write_body(&mut *out).expect("a string takes everything");
    out
}

fn same() -> Challenges {
    Challenges::same(&server::session())
}

fn changed() -> Challenges {
    Challenges::changed(&server::session())
}

#[library_benchmark]
#[bench::same(args = [same], setup = client)]
#[bench::changed(args = [changed], setup = client)]
fn client_step(mut ours: Box<client::Ours>) -> Box<client::Ours> {
    ours.step();
    ours
}

fn client(challenges: fn() -> Challenges) -> Box<client::Ours> {
    Box::new(client::Ours::new(challenges()))
}

#[library_benchmark]
#[bench::same(args = [same], setup = client_peer)]
#[bench::changed(args = [changed], setup = client_peer)]
fn client_ruma(mut peer: Box<ruma::Client>) -> Box<ruma::Client> {
    drop(black_box(peer.step()));
    peer
}

fn client_peer(challenges: fn() -> Challenges) -> Box<ruma::Client> {
    let mut peer = ruma::Client::new(challenges());
    drop(peer.step());
    Box::new(peer)
}

#[library_benchmark]
#[bench::same(args = [same], setup = client_bottom)]
#[bench::changed(args = [changed], setup = client_bottom)]
fn client_floor(mut floor: Box<floor::Client>) -> Box<floor::Client> {
    floor.step();
    floor
}

fn client_bottom(challenges: fn() -> Challenges) -> Box<floor::Client> {
    Box::new(floor::Client::new(challenges()))
}

library_benchmark_group!(
    name = steps,
    benchmarks = [
        server_step,
        server_ruma,
        server_floor,
        server_parse,
        server_digest,
        server_transition,
        server_write,
        client_step,
        client_ruma,
        client_floor
    ]
);

main!(
    config = LibraryBenchmarkConfig::default().tool(Callgrind::with_args(["--cache-sim=no"])),
    library_benchmark_groups = steps
);
