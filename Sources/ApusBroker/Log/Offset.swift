/// The position of a publication in its topic's log: 1, 2, 3, … without gaps.
public typealias Offset = UInt64
