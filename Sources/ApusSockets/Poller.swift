import CEpoll
import Glibc

/// The object that a ``Poller`` calls when a socket is ready.
public protocol PollTarget: AnyObject {
    func socketIsReady(_ events: PollEvents)
}

/// Waits for many sockets at once with epoll(7). Belongs to one thread.
///
/// It retains a target until its socket is removed. Its size is bounded by the process's limit of open files.
public final class Poller {
    /// Identifies a registered socket. It is not reused for another socket while an event of this one may be pending.
    public struct ID: Hashable, Sendable {
        fileprivate let slot: UInt32
        fileprivate let generation: UInt32
        fileprivate var bits: UInt64 { UInt64(generation) << 32 | UInt64(slot) }
    }

    private struct Slot {
        var target: (any PollTarget)?
        var generation: UInt32 = 0
        /// Whether it is one of many that come or go; see ``Poller/patientBurst``.
        var isPatient = false
        /// Whether an event that is passed over is reported again.
        var isEdgeTriggered = false
    }

    /// How many ready sockets are handled before the kernel is asked for more.
    private static let burst = 512
    /// How many sockets of clients that come or go are handled meanwhile. A crowd of them costs ten times as much as
    /// messages do, and whoever is there would wait for all of it. The others are reported again.
    private static let patientBurst = 32

    /// Called after all ready sockets have been handled.
    public var afterRound: (() -> Void)?
    /// Whether targets are being called and ``afterRound`` is still to come.
    @exclusivity(unchecked) public private(set) var isInRound = false
    private let epoll: CInt
    private let ready: UnsafeMutableBufferPointer<epoll_event>
    @exclusivity(unchecked) private var slots = ContiguousArray<Slot>()
    /// The events of a round that others went before, and which of them is next; at most ``burst``.
    private var patient = ContiguousArray<epoll_event>()
    private var nextPatient = 0
    private var freeSlots = ContiguousArray<UInt32>()
    /// The generation of a newly added slot. No earlier slot had a higher one.
    private var firstGeneration: UInt32 = 0

    package convenience init() throws(SocketError) {
        self.init(epoll: try Self.open())
    }

    /// Takes ownership of a descriptor from ``open()``.
    init(epoll: CInt) {
        self.epoll = epoll
        ready = .allocate(capacity: Self.burst)
    }

    static func open() throws(SocketError) -> CInt {
        let epoll = epoll_create1(CInt(EPOLL_CLOEXEC))
        guard epoll >= 0 else { throw SocketError("epoll_create1") }
        return epoll
    }

    deinit {
        ready.deallocate()
        close(epoll)
    }

    /// Watches a socket for events, and calls `target` when they occur.
    ///
    /// - Parameter isPatient: whether others go first, if there are many. So they do before one that is closed.
    /// - Throws: ``SocketError`` of `epoll_ctl`.
    package func add(
        _ socket: Socket,
        for events: PollEvents,
        isPatient: Bool = false,
        target: any PollTarget
    ) throws(SocketError) -> ID {
        let slot = freeSlots.popLast() ?? UInt32(slots.count)
        if slot == slots.count { slots.append(Slot(generation: firstGeneration)) }
        let id = ID(slot: slot, generation: slots[Int(slot)].generation)
        guard control(EPOLL_CTL_ADD, socket, events, id) else {
            let error = SocketError("epoll_ctl")
            freeSlots.append(slot)
            throw error
        }
        slots[Int(slot)].target = target
        slots[Int(slot)].isPatient = isPatient
        slots[Int(slot)].isEdgeTriggered = events.contains(.edgeTriggered)
        return id
    }

    /// Changes the events that a socket is watched for.
    public func change(_ id: ID, of socket: Socket, to events: PollEvents) {
        // Fails only for a descriptor that is not registered. That is a programming error, and shows as missing events.
        _ = control(EPOLL_CTL_MOD, socket, events, id)
        if isCurrent(id) { slots[Int(id.slot)].isEdgeTriggered = events.contains(.edgeTriggered) }
    }

    /// Makes another target receive the events of a registered socket. It is patient no more.
    public func replace(_ id: ID, target: any PollTarget) {
        guard isCurrent(id) else { return }
        slots[Int(id.slot)].target = target
        slots[Int(id.slot)].isPatient = false
    }

    /// Stops watching the socket. Call it before closing the descriptor.
    public func remove(_ id: ID, of socket: Socket) {
        guard isCurrent(id) else { return }
        _ = control(EPOLL_CTL_DEL, socket, [], id)
        slots[Int(id.slot)].target = nil
        slots[Int(id.slot)].generation &+= 1
        freeSlots.append(id.slot)
    }

    /// Releases the memory of unused slots. Does nothing while targets are being called.
    public func releaseMemory() {
        guard !isInRound, freeSlots.count > 64 else { return }
        while let last = slots.last, last.target == nil {
            firstGeneration = max(firstGeneration, last.generation &+ 1)
            slots.removeLast()
        }
        var (fewer, free) = (ContiguousArray<Slot>(), ContiguousArray<UInt32>())
        fewer.reserveCapacity(slots.count)
        fewer.append(contentsOf: slots)
        free.append(contentsOf: freeSlots.lazy.filter { $0 < fewer.count })
        (slots, freeSlots) = (fewer, free)
    }

    /// Waits until a socket is ready or `timeout` milliseconds have passed, and calls the targets.
    ///
    /// - Parameter timeout: 0 only checks; -1 waits forever.
    public func poll(timeout: CInt) {
        let count = epoll_wait(epoll, ready.baseAddress, CInt(Self.burst), timeout)
        guard count > 0 else { return }
        isInRound = true
        for index in 0..<Int(count) where !isPatient(ready[index]) { call(ready[index]) }
        if !patient.isEmpty { callPatient() }
        isInRound = false
        afterRound?()
    }

    /// Whether others go first. Notes that.
    private func isPatient(_ event: epoll_event) -> Bool {
        let slot = Int(truncatingIfNeeded: event.data.u64 & 0xFFFF_FFFF)
        guard slots[slot].isPatient || !PollEvents(rawValue: event.events).isDisjoint(with: .gone),
            !slots[slot].isEdgeTriggered
        else { return false }
        patient.append(event)
        return true
    }

    private func callPatient() {
        // Those that nothing is done about are reported again in the same order: each gets its turn.
        let first = patient.count > Self.patientBurst ? nextPatient % patient.count : 0
        for index in 0..<min(patient.count, Self.patientBurst) { call(patient[(first + index) % patient.count]) }
        nextPatient = first + Self.patientBurst
        patient.removeAll(keepingCapacity: true)
    }

    private func call(_ event: epoll_event) {
        let slot = Int(truncatingIfNeeded: event.data.u64 & 0xFFFF_FFFF)
        // A target that was called before may have removed this socket.
        guard slots[slot].generation == UInt32(truncatingIfNeeded: event.data.u64 >> 32) else { return }
        slots[slot].target?.socketIsReady(PollEvents(rawValue: event.events))
    }

    private func isCurrent(_ id: ID) -> Bool {
        id.slot < slots.count && slots[Int(id.slot)].generation == id.generation
    }

    private func control(_ operation: CInt, _ socket: Socket, _ events: PollEvents, _ id: ID) -> Bool {
        var event = epoll_event()
        event.events = events.rawValue
        event.data.u64 = id.bits
        return epoll_ctl(epoll, operation, socket.descriptor, &event) == 0
    }
}
