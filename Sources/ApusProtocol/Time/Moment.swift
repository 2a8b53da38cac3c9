/// What two clocks say at one moment, in milliseconds.
///
/// People are told what the wall clock says, which somebody may set at any time, by hours. How much time has passed is
/// told by the other, which nobody sets: lifetimes, ages and windows go by it.
public struct Moment: Hashable, Sendable {
    /// Since 1970. Only for stamps, and what is compared with stamps.
    public var wall: Int64
    /// Since a moment of its own.
    public var steady: Int64

    public init(wall: Int64, steady: Int64) {
        self.wall = wall
        self.steady = steady
    }
}
