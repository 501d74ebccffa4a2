//! The only user of a writer: carries an approved plan out.
