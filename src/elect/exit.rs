//! The exit statuses of `elect`, beside the command's own. Those from 64 on are the ones of sysexits.h, and those above
//! 125 a shell's.

/// The command line is wrong.
pub const USAGE: u8 = 64;
/// The store was never reached.
pub const UNAVAILABLE: u8 = 69;
/// The command could not be ended, or the program itself failed.
pub const UNKILLABLE: u8 = 70;
/// The lock was lost, and the command ended for that.
pub const LOST: u8 = 75;
/// The durations are unsafe, or something that was configured cannot work.
pub const CONFIGURATION: u8 = 78;
/// The command is there and cannot be executed.
pub const NOT_EXECUTABLE: u8 = 126;
/// There is no such command.
pub const NOT_FOUND: u8 = 127;
/// This and a signal's number: the command was ended by it.
pub const SIGNALLED: u8 = 128;
