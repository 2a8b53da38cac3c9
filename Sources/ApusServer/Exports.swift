// With their members, for those who import only `ApusServer`.
@_exported public import enum ApusProtocol.OverflowPolicy
@_exported public import struct ApusProtocol.Rate
