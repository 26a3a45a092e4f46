//! The one integration binary: a module for each area.

#[cfg(test)]
mod first_light;
#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod value_sets;
