//! A handler that skips authentication does not compile.
//!
//! The expected messages are those of the compiler that CI pins; another version may
//! word them differently. After a change of the pinned version run
//! `TRYBUILD=overwrite cargo test --test suite compile_fail` and read the difference.
//! What each file proves does not depend on the words: if it compiled, the test would
//! fail under every version.

use matrix_uia::Grant;
use matrix_uia::server::exchange::{Commit, Exchange, Incoming, OneTransaction, Performing, Repeat, Verify};
use matrix_uia::server::operation::ChangePassword;
use matrix_uia::server::store::FixedStore;
#[cfg(feature = "alloc")]
use matrix_uia::server::store::HashedStore;

#[test]
#[cfg_attr(miri, ignore = "starts the compiler")]
fn a_handler_that_skips_authentication_does_not_compile() {
    trybuild::TestCases::new().compile_fail("tests/compile_fail/*.rs");
}

/// Fails to compile if the type has the trait: then both implementations fit, and `_`
/// could be either.
macro_rules! has_not {
    ($type:ty: $($bound:path),+) => {
        $({
            trait Either<Which> {
                const NO: bool = true;
            }
            impl<T: ?Sized> Either<()> for T {}
            impl<T: ?Sized + $bound> Either<u8> for T {}
            assert!(<$type as Either<_>>::NO);
        })+
    };
}

/// Nor does a host make it one: the type is not its own, so a host that tries does not compile.
#[test]
fn lesson_101_sessions_in_memory_are_in_no_transaction() {
    has_not!(FixedStore<(), 8>: OneTransaction);
    #[cfg(feature = "alloc")]
    has_not!(HashedStore<()>: OneTransaction);
}

/// No proof is copied, made from nothing, stored or read back.
#[test]
fn a_proof_comes_only_from_the_transition() {
    has_not!(Grant<ChangePassword>: Clone, Copy, Default, serde::Serialize, serde::de::DeserializeOwned, PartialEq);
    has_not!(Exchange<'static, 'static, ChangePassword>: Clone, Copy, Default, serde::Serialize);
    has_not!(Incoming<'static, ChangePassword>: Clone, Copy, Default, serde::Serialize);
    has_not!(Performing<'static, 'static, ChangePassword>: Clone, Copy, Default, serde::Serialize);
    has_not!(Verify<'static, 'static, ChangePassword>: Clone, Copy, serde::Serialize);
    has_not!(Repeat<'static, 'static, ChangePassword>: Clone, Copy, Default, serde::Serialize);
    has_not!(Commit<'static, 'static, ChangePassword>: Clone, Copy, Default, serde::Serialize);
    has_not!(matrix_uia::endpoint::Checked<ChangePassword>: Default);
}

/// A prompt is answered once, and its answer sent once.
#[test]
fn a_prompt_is_not_answered_twice() {
    use matrix_uia::client::{Page, PasswordPrompt, Prompt, Request, ThreepidPrompt, TokenRequest};
    has_not!(Prompt<'static>: Clone, Copy, Default);
    has_not!(PasswordPrompt<'static>: Clone, Copy, Default);
    has_not!(ThreepidPrompt<'static>: Clone, Copy, Default);
    has_not!(Page<'static>: Clone, Copy, Default);
    has_not!(TokenRequest<'static>: Clone, Copy, Default);
    has_not!(Request<'static>: Clone, Copy, Default, serde::Serialize);
}

/// Nor does a secret leave except by `expose`.
#[test]
fn a_secret_is_not_printed_compared_or_serialised() {
    has_not!(matrix_uia::Secret<'static>: std::fmt::Display, PartialEq, serde::Serialize);
    has_not!(matrix_uia::BindingKey: Clone, std::fmt::Display, PartialEq, serde::Serialize);
    has_not!(matrix_uia::SessionId: std::fmt::Display, serde::Serialize);
    #[cfg(feature = "alloc")]
    has_not!(matrix_uia::SecretBuf: Clone, std::fmt::Display, PartialEq, serde::Serialize);
}
