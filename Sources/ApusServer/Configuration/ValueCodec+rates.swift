import ApusProtocol

extension ValueCodec where Value == Rate {
    /// How often something may happen: `100` or `100/s`, `30/m`, `1/h`; 0 means any number of times.
    static var rate: ValueCodec {
        ValueCodec(
            "rate",
            expectation: "a whole number a second, or a rate such as 30/m or 10/h",
            read: { Rate($0) },
            show: { rate in
                isPerSecond(rate) ? .number(rate.count) : .word("\(rate.count)/\(rate.interval.rawValue)")
            }
        )
    }

    /// How many bytes may come: `1048576`, `1MiB` or `1MiB/s`, `60MiB/m`; 0 means any number.
    static var bytesRate: ValueCodec {
        ValueCodec(
            "rate",
            expectation: "a size in bytes a second, such as 64KiB or 1MiB, or a rate such as 60MiB/m",
            read: { text in
                guard let (number, interval) = Rate.parts(of: text), let bytes = ByteSize.bytes(number),
                    bytes <= Rate.most
                else { return nil }
                return Rate(bytes, per: interval)
            },
            show: { rate in
                let size = ByteSize.text(rate.count)
                return isPerSecond(rate) ? .size(rate.count) : .word("\(size)/\(rate.interval.rawValue)")
            }
        )
    }

    /// Whether a number says it all.
    private static func isPerSecond(_ rate: Rate) -> Bool { rate.interval == .second || rate.isOff }
}
