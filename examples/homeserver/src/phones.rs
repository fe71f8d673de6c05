//! Phone numbers as people dial them, made into 3PIDs.

use matrix_uia::MatrixError;
use matrix_uia::endpoint::threepid::{GivenAddress, Medium, Threepid};
use phonenumber::Mode;
use phonenumber::country::Id;

/// Fewest digits of a number with its country's code. The library reads the police's number as one, too.
const FEWEST_DIGITS: usize = 5;

/// The 3PID that `number` means, dialled from `country`.
///
/// That a country has given the number to somebody is not asked: plans change faster than libraries, and a
/// message to nobody does no harm.
///
/// # Errors
///
/// 400 `M_INVALID_PARAM` if there is no such country, or no number is dialled so.
pub fn threepid(country: &str, number: &str) -> Result<Threepid, MatrixError> {
    let invalid = |_| GivenAddress::invalid_number();
    let country: Id = country.parse().map_err(|_| GivenAddress::invalid_number())?;
    let number = phonenumber::parse(Some(country), number).map_err(|_| GivenAddress::invalid_number())?;
    if number.extension().is_some() {
        return Err(GivenAddress::invalid_number());
    }
    let dialled = number.format().mode(Mode::E164).to_string();
    let threepid = Threepid::parse(Medium::Msisdn, dialled.as_str().into()).map_err(invalid)?;
    if threepid.address().len() < FEWEST_DIGITS { Err(GivenAddress::invalid_number()) } else { Ok(threepid) }
}

#[cfg(test)]
mod tests {
    use super::threepid;

    #[test]
    fn one_number_has_one_form_however_it_is_dialled() {
        for (country, number) in [
            ("GB", "07700900001"),
            ("GB", "+447700900001"),
            ("GB", "(07700) 900-001"),
            ("US", "+44 7700 900001"),
            ("US", "011 44 7700 900001"),
        ] {
            let found = threepid(country, number).unwrap();
            assert_eq!(found.address(), "447700900001", "{country} {number}");
        }
        assert_eq!(threepid("IT", "06 698 12345").unwrap().address(), "390669812345");
    }

    #[test]
    fn what_nobody_dials_is_no_number() {
        for (country, number) in [
            ("XX", "07700900001"),
            ("", "07700900001"),
            ("GB", ""),
            ("GB", "abc"),
            ("GB", "12"),
            ("GB", "07700 900001 ext 5"),
            ("GB", "0770090000107700900001"),
        ] {
            assert!(threepid(country, number).is_err(), "{country} {number}");
        }
    }
}
