// With their members, for those who import only `ApusBroker`.
@_exported public import enum ApusProtocol.OverflowPolicy
@_exported public import struct ApusProtocol.Rate
