//! The one integration binary: a module for each area.

#[cfg(test)]
mod first_light;
#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod validator;
#[cfg(test)]
mod value_sets;
#[cfg(test)]
mod wire;
