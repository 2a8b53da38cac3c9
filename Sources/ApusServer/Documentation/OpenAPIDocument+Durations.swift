extension OpenAPIDocument {
    /// Schemas of durations, each with the pattern that its parameter accepts.
    static let durationSchemas = #"""
          "Duration": {
            "type": "string",
            "description": "A number and its unit, `500ms`, `30s`, `10m`, `1h`, `2d`, or seconds; 1 ms to 36500 days.",
            "pattern": "\#(lasting(unit: "s?"))",
            "example": "30s"
          },
          "WaitDuration": {
            "type": "string",
            "description": "The same, from nothing to five minutes.",
            "pattern": "\#(wait)",
            "example": "20s"
          },
          "SettingDuration": {
            "type": ["string", "number", "null"],
            "description": "A number and its unit, `500ms`, `30s`, `10m`, `1h`, `2d`; or a number of seconds.",
            "pattern": "\#(lasting(unit: "s"))",
            "minimum": 0.001,
            "maximum": 3153600000
          },
          "Since": {
            "type": "string",
            "description": "A number and its unit, an RFC 3339 time, or `all`.",
            "anyOf": [
              { "const": "all" },
              { "pattern": "^([0-9]{1,12}ms|[0-9]{1,9}\#(fraction)[smhd])$" },
              { "format": "date-time" }
            ]
          },
          "Position": {
            "type": "string",
            "description": "The `id` of an event; an empty one counts for none.",
            "pattern": "^([^:]+:[0-9]{1,19})?$",
            "example": "2q9u0ddkt2eqr:41"
          }
        """#

    /// The decimals after a whole number: only as many as give a whole number of milliseconds in any unit.
    private static let fraction = "([.][0-9]{1,3})?"

    /// The pattern of a duration that is not 0.
    private static func lasting(unit seconds: String) -> String {
        let parts = [
            "[1-9][0-9]{0,11}ms",
            "[1-9][0-9]{0,8}\(fraction)\(seconds)",
            "[1-9][0-9]{0,6}\(fraction)m",
            "[1-9][0-9]{0,4}\(fraction)h",
            "([1-9][0-9]{0,3}|[12][0-9]{4}|3[0-5][0-9]{3})\(fraction)d",
            "36500d",
            "0[.](00[1-9]|0[1-9][0-9]?|[1-9][0-9]{0,2})(\(seconds)|[mhd])",
        ]
        return "^0*(\(parts.joined(separator: "|")))$"
    }

    private static let wait: String = {
        let parts = [
            "([0-9]{1,5}|[12][0-9]{5}|300000)ms",
            "([0-9]{1,2}|[12][0-9]{2})\(fraction)s?",
            "300([.]0+)?s?",
            "[0-4]\(fraction)m",
            "5([.]0+)?m",
            "0h",
            "0d",
        ]
        return "^0*(\(parts.joined(separator: "|")))$"
    }()
}
