//! The crate's policies, made from the config once: what can't be completed is refused at the start.

use crate::addresses;
use crate::config::{self, Config};
use crate::db::users::User;
use crate::guard::Guard;
use crate::secrets::ServerKey;
use matrix_uia::endpoint::password::PasswordStrength;
use matrix_uia::endpoint::threepid::{AddressAuthority, Domain, ValidationRules};
use matrix_uia::server::operation::{
    AddThreepid, ChangePassword, Deactivate, DeleteDevice, DeleteDevices, GetLoginToken, Operation, Register,
    UploadSigningKeys,
};
use matrix_uia::server::page::PagePolicy;
use matrix_uia::server::rules::{BodyBinding, UnknownSession};
use matrix_uia::server::sealed::IdKeys;
use matrix_uia::wire::Raw;
use matrix_uia::{
    BindingKey, CapacityError, Flows, Millis, Rules, Session, StageOrder, endpoint::login, endpoint::register,
};

/// What every operation is guarded with.
#[derive(Debug)]
pub struct Policies {
    pub rules: Rules,
    pub validations: ValidationRules,
    /// What a validated address can authorise: everything below that has an address stage.
    pub addresses: AddressAuthority,
    pub denied_domains: Vec<Domain>,
    pub key: BindingKey,
    pub strength: PasswordStrength,
    /// Which types of login there are.
    pub login: login::Offer,
    /// Whom the server registers.
    pub registration: register::Offer,
    pub register: Flows<'static, Register>,
    pub password: Guard<ChangePassword>,
    pub password_reset: Flows<'static, ChangePassword>,
    pub deactivate: Guard<Deactivate>,
    pub deactivate_without_token: Option<Flows<'static, Deactivate>>,
    pub delete_device: Guard<DeleteDevice>,
    pub delete_devices: Guard<DeleteDevices>,
    pub add_threepid: Guard<AddThreepid>,
    pub device_signing: Guard<UploadSigningKeys>,
    pub get_login_token: Guard<GetLoginToken>,
}

impl Policies {
    /// # Errors
    ///
    /// One line that names the flows and the mend, in the crate's own words.
    pub fn new(config: &Config, key: &ServerKey) -> Result<Self, String> {
        let params = serde_json::to_string(&config.params).map_err(|error| error.to_string())?;
        let params = Raw::parse(&params).map_err(|error| format!("config: params: {error}"))?;
        let flows = &config.flows;
        let without_token = flows.deactivate_without_token.as_ref();
        let mut policies = Self {
            rules: rules(&config.uia),
            validations: validations(&config.uia),
            addresses: AddressAuthority::new(),
            denied_domains: denied_domains(&config.threepid_denied_domains)?,
            key: binding_key(key),
            strength: strength(config.password_policy),
            login: login_offer(config),
            registration: registration_offer(config),
            register: build("register", &flows.register, params)?,
            password: guard("password", &flows.password, params)?,
            password_reset: build("password_reset", &flows.password_reset, params)?,
            deactivate: guard("deactivate", &flows.deactivate, params)?,
            deactivate_without_token: without_token
                .map(|flows| build("deactivate_without_token", flows, params))
                .transpose()?,
            delete_device: guard("delete_devices", &flows.delete_devices, params)?,
            delete_devices: guard("delete_devices", &flows.delete_devices, params)?,
            add_threepid: guard("add_3pid", &flows.add_3pid, params)?,
            device_signing: guard("device_signing", &flows.device_signing, params)?,
            get_login_token: guard("get_login_token", &flows.get_login_token, params)?,
        };
        policies.addresses =
            policies.address_authority().map_err(|error| format!("config: flows: {error}"))?;
        Ok(policies)
    }

    fn address_authority(&self) -> Result<AddressAuthority, CapacityError> {
        let policies = AddressAuthority::new()
            .with(&self.register)?
            .with(self.password.all())?
            .with(&self.password_reset)?
            .with(self.deactivate.all())?
            .with(self.delete_device.all())?
            .with(self.delete_devices.all())?
            .with(self.add_threepid.all())?
            .with(self.device_signing.all())?
            .with(self.get_login_token.all())?;
        match &self.deactivate_without_token {
            Some(flows) => policies.with(flows),
            None => Ok(policies),
        }
    }

    /// What a session is guarded with, as a page sees it: by its operation, whether a token began it, and what its
    /// user can pass.
    pub fn page(&self, session: &Session, user: Option<&User>) -> Option<PagePolicy<'_>> {
        fn of<'p, Op: Operation>(flows: &'p Flows<'static, Op>, rules: &'p Rules) -> PagePolicy<'p> {
            PagePolicy::new(flows, rules)
        }
        fn guarded<'p, Op: Operation>(
            guard: &'p Guard<Op>,
            user: Option<&User>,
            rules: &'p Rules,
        ) -> PagePolicy<'p> {
            of(user.map_or(guard.all(), |user| guard.offered(user).0), rules)
        }
        let rules = &self.rules;
        let has_token = session.subject().is_some();
        Some(match session.operation() {
            Register::ID => of(&self.register, rules),
            ChangePassword::ID if has_token => guarded(&self.password, user, rules),
            ChangePassword::ID => of(&self.password_reset, rules),
            Deactivate::ID if has_token => guarded(&self.deactivate, user, rules),
            Deactivate::ID => of(self.deactivate_without_token.as_ref()?, rules),
            DeleteDevice::ID => guarded(&self.delete_device, user, rules),
            DeleteDevices::ID => guarded(&self.delete_devices, user, rules),
            AddThreepid::ID => guarded(&self.add_threepid, user, rules),
            UploadSigningKeys::ID => guarded(&self.device_signing, user, rules),
            GetLoginToken::ID => guarded(&self.get_login_token, user, rules),
            _ => return None,
        })
    }
}

fn build<Op: Operation>(
    name: &str,
    flows: &config::FlowList,
    params: Raw<'_>,
) -> Result<Flows<'static, Op>, String> {
    Flows::new(flows, Some(params)).map_err(|error| format!("config: flows.{name}: {error}"))
}

fn guard<Op: Operation>(name: &str, flows: &config::FlowList, params: Raw<'_>) -> Result<Guard<Op>, String> {
    Guard::new(flows, params).map_err(|error| format!("config: flows.{name}: {error}"))
}

fn rules(uia: &config::Uia) -> Rules {
    let mut rules = Rules::default();
    rules.session_lifetime = Millis::new(uia.session_lifetime_ms);
    rules.stage_order = match uia.stage_order {
        config::StageOrder::Strict => StageOrder::Strict,
        config::StageOrder::Any => StageOrder::Any,
    };
    rules.body_binding = match uia.body_binding {
        config::BodyBinding::OmittedOrExact => BodyBinding::OmittedOrExact,
        config::BodyBinding::Exact => BodyBinding::Exact,
        config::BodyBinding::Any => BodyBinding::Any,
    };
    rules.unknown_session = match uia.unknown_session {
        config::UnknownSession::Restart => UnknownSession::Restart,
        config::UnknownSession::Reject => UnknownSession::Reject,
    };
    rules.one_shot = uia.one_shot;
    rules.replay_for = match uia.replay {
        config::Replay::Result => Millis::new(uia.replay_ms),
        config::Replay::Refuse => Millis::new(0),
    };
    rules.max_failed_attempts = u16::try_from(uia.max_failed_attempts).unwrap_or(u16::MAX);
    rules.claim_for = Millis::new(uia.claim_for_ms);
    rules.recent_auth = Millis::new(uia.recent_auth_ms);
    rules
}

fn login_offer(config: &Config) -> login::Offer {
    let mut offer = login::Offer::default();
    offer.legacy = config.legacy_login;
    offer.get_login_token = config.login_token.enabled;
    offer.application_service = !config.appservices.is_empty();
    offer
}

fn registration_offer(config: &Config) -> register::Offer {
    let mut offer = register::Offer::default();
    offer.legacy = config.legacy_login;
    offer.users = config.registration.enabled;
    offer.guests = config.registration.guests;
    offer
}

fn denied_domains(domains: &[String]) -> Result<Vec<Domain>, String> {
    let parse = |domain: &String| {
        addresses::domain(domain).map_err(|_| {
            let domain = domain.escape_debug();
            format!("config: threepid_denied_domains: {domain}: no domain; give one such as denied.example")
        })
    };
    domains.iter().map(parse).collect()
}

/// A validation lives as long as a session that may be waiting for it.
fn validations(uia: &config::Uia) -> ValidationRules {
    let mut rules = ValidationRules::default();
    rules.lifetime = Millis::new(uia.session_lifetime_ms);
    rules
}

fn strength(policy: config::PasswordPolicy) -> PasswordStrength {
    let mut strength = PasswordStrength::default();
    strength.minimum_length = policy.minimum_length;
    strength.require_digit = policy.require_digit;
    strength.require_symbol = policy.require_symbol;
    strength.require_lowercase = policy.require_lowercase;
    strength.require_uppercase = policy.require_uppercase;
    strength
}

/// What session IDs are sealed with and opened with. Every process that has the server's key file makes the same.
///
/// # Errors
///
/// The lines of the key file can't be.
pub fn id_keys(key: &ServerKey) -> Result<IdKeys, String> {
    key.ids().keys(|| key.derive("uia session ids", b""))
}

/// The key that parameters are bound with, and that the database knows sessions by.
pub fn binding_key(key: &ServerKey) -> BindingKey {
    let derived = key.derive("uia binding", b"");
    let (half, _) = derived.split_at(16);
    BindingKey::from_entropy(half.try_into().unwrap_or([0; 16]))
}
