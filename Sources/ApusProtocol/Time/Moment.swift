/// The readings of two clocks at one moment, in milliseconds.
///
/// The wall clock is for people. Somebody may set it at any time, by hours. The steady clock measures how much time has
/// passed; nobody sets it. Lifetimes, ages and windows use the steady clock.
public struct Moment: Hashable, Sendable {
    /// Since 1970. Only for stamps, and for comparison with stamps.
    public var wall: Int64
    /// Since an arbitrary moment.
    public var steady: Int64

    public init(wall: Int64, steady: Int64) {
        self.wall = wall
        self.steady = steady
    }
}
