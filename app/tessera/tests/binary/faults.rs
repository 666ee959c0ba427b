//! What happens when somebody or something works against the process: edited databases, full disks, wrong places, secrets.

mod canaries;
mod edited_copies;
mod places;
