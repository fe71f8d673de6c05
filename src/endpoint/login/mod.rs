//! [`POST /login`]: what a login asks, who is asked to prove it, and the device it is on.
//!
//! ```text
//!  body ─► Offer::read ─► Attempt ─► the host looks it up ─► decide… ─► plan_device ─► LoginResponse
//!            │              │                                   │
//!       is it served?       ├ Password ── one answer for wrong and unknown
//!                           ├ Token ───── used up in the act that logs in
//!                           └ ApplicationService ── who has the `as_token`, and whose user is it?
//!
//!  POST /login/get_token ─► exchange ─► Grant ─► GetLoginTokenResponse ─► Attempt::Token, elsewhere
//! ```
//!
//! [`POST /login`]: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3login

mod decision;
mod device;
mod get_token;
mod login_type;
mod offer;
mod request;
mod response;

pub use decision::{decide, decide_appservice, decide_now, decide_token};
pub(crate) use device::check_device;
pub use device::{DeviceIdUse, DevicePlan, MAX_DEVICE_TEXT_LEN, plan_device};
pub use get_token::{GetLoginTokenRequest, GetLoginTokenResponse, LoginTokenGrant};
pub use login_type::LoginType;
pub use offer::Offer;
pub use request::{Attempt, LoginRequest, MAX_LOGIN_TOKEN_LEN};
pub use response::{LoginResponse, NewLogin};
