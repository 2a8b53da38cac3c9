"""What a scanner says: sslyze, against the intermediate profile that Mozilla recommends (version 5.7)."""

import pytest
from sslyze import (CertificateInfoExtraArgument, ScanCommand, ScanCommandsExtraArguments, Scanner, ServerNetworkConfiguration,
                    ServerNetworkLocation, ServerScanRequest, TlsResumptionSupportEnum)
from sslyze.mozilla_tls_profile.tls_config_checker import (SCAN_COMMANDS_NEEDED_BY_MOZILLA_CHECKER, MozillaTlsConfiguration,
                                                           TlsConfigurationEnum, check_server_against_tls_configuration)

from apus_e2e import PATIENCE
from certificates import authority
from secure import secure

pytestmark = pytest.mark.one_server("it is about TLS with one server")

COMMANDS = SCAN_COMMANDS_NEEDED_BY_MOZILLA_CHECKER | {ScanCommand.SESSION_RESUMPTION, ScanCommand.TLS_1_3_EARLY_DATA}


@pytest.mark.parametrize("kind", [[], ["-newkey", "rsa:2048"]], ids=["ecdsa", "rsa"])
def test_a_scanner_has_nothing_to_say_against_it(kind):
    pair = authority().local(**({"kind": kind} if kind else {}))
    with secure(pair=pair) as server:
        scanner = Scanner(per_server_concurrent_connections_limit=4)
        scanner.queue_scans([ServerScanRequest(
            server_location=ServerNetworkLocation("localhost", server.port, ip_address="127.0.0.1"),
            network_configuration=ServerNetworkConfiguration("localhost", network_timeout=int(5 * PATIENCE)),
            scan_commands=COMMANDS,
            scan_commands_extra_arguments=ScanCommandsExtraArguments(
                certificate_info=CertificateInfoExtraArgument(authority().certificate)))])
        [found] = scanner.get_results()
    # Raises for each thing that the profile forbids, and for a part of the scan that failed.
    check_server_against_tls_configuration(found, MozillaTlsConfiguration.get(TlsConfigurationEnum.MOZILLA_INTERMEDIATE))
    scan = found.scan_result
    assert not scan.session_renegotiation.result.is_vulnerable_to_client_renegotiation_dos
    assert not scan.tls_1_3_early_data.result.supports_early_data
    assert scan.session_resumption.result.tls_ticket_resumption_result == TlsResumptionSupportEnum.FULLY_SUPPORTED
    assert all(deployment.verified_certificate_chain for deployment in scan.certificate_info.result.certificate_deployments)
