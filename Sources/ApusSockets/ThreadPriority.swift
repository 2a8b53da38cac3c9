import Glibc

/// The priority (nice value) of the calling thread, which Linux keeps for each thread of its own (setpriority(2)).
package enum ThreadPriority {
    /// Takes the priority that the process was started with.
    ///
    /// libdispatch gives its threads that of their class, and whoever is started by one of them inherits it: a server
    /// started with `nice` would not be.
    package static func takeFromProcess() { set(0) }

    /// Goes after the process's other threads: gets a tenth of the time where they want a core, too.
    package static func goBehind() { set(10) }

    private static func set(_ difference: CInt) {
        let process = __priority_which_t(PRIO_PROCESS.rawValue)
        // -1 is a priority, too; an error does not occur for the own process.
        let priority = getpriority(process, id_t(getpid()))
        // Fails where the process may not raise it again. Then it stays as it is.
        _ = setpriority(process, 0, priority + difference)
    }
}
