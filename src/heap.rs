//! What the process does with memory that it no longer needs. The allocator of glibc keeps most of what was
//! freed, in as many places as there were threads: after a first sync that is more than all that is in use.

#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod glibc {
    /// Keeps few separate places of freed memory; to be called before there are threads.
    pub fn few_arenas() {
        // SAFETY: mallopt takes two numbers and only sets an option.
        unsafe { libc::mallopt(libc::M_ARENA_MAX, 2) };
    }

    /// Gives freed memory back to the kernel.
    pub fn give_back() {
        // SAFETY: malloc_trim takes a number and locks what it works on.
        unsafe { libc::malloc_trim(0) };
    }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
mod glibc {
    /// Other allocators look after this themselves.
    pub fn few_arenas() {}

    /// Other allocators look after this themselves.
    pub fn give_back() {}
}

pub use glibc::{few_arenas, give_back};
