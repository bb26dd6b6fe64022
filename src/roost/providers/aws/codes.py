"""One table of what EC2's error codes mean, by call, and what to type next. Pure.

The codes are those of "Error codes for the Amazon EC2 API", and a few that are in no list.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from typing import Literal

Kind = Literal[
    "busy",
    "pending",
    "absent",
    "there",
    "capacity",
    "quota",
    "access",
    "organisation",
    "credentials",
    "clock",
    "region",
    "account",
    "unknown call",
    "file",
    "bug",
    "never",
    "other",
]
"""What a code means for roost:

- "busy": too many calls, or AWS's own trouble; the same call again.
- "pending": something is still on its way: made and not visible, leaving, changing. Look again.
- "absent", "there": what is to be deleted is gone; what is to be made is there already.
- "capacity": not this type in this zone now. "quota": the account's limit.
- "access", "organisation": a policy refuses. "credentials", "clock", "region", "account": AWS does
  not take the caller.
- "unknown call": the endpoint does not know it, or not for this resource.
- "file": the file asks for what there is not. "bug": roost asked wrongly.
- "never": of a service, or a call, that roost does not use. "other": a code in no list.
"""


@dataclass(frozen=True, slots=True)
class Row:
    """What codes mean. ``codes`` and ``calls`` are names and patterns; no calls means any.

    ``said`` must be in the message; ``mend`` is what the user types or does next.
    """

    kind: Kind
    codes: str
    mend: str = ""
    calls: str = "*"
    said: str = ""


CLOCK = "not yet current|signature expired|is still valid|request has expired"
USES_NEW = (
    "AssociateAddress AttachVolume AuthorizeSecurityGroupIngress CreateImage CreateSnapshot"
    " CreateVolume ModifyInstanceAttribute ModifyVolume RunInstances StartInstances"
)
"""Calls about what roost has often made a moment before."""
QUOTA = "ask for more: https://console.aws.amazon.com/servicequotas, Amazon EC2"
REPORT = "roost debug-bundle NAME   (a mistake of roost's: please report it with this file)"
ROOM = "the same command again, later; or another type or zone: roost resize NAME --type TYPE"
VOLUME = "another size, type or speed of that volume in the file"
TABLE: tuple[Row, ...] = (
    # --- who asks ---
    Row(
        "clock",
        "AuthFailure InvalidClientTokenId SignatureDoesNotMatch UnrecognizedClientException",
        "timedatectl set-ntp true   (then the same again)",
        said=CLOCK,
    ),
    Row(
        "clock",
        "InvalidSecurity.RequestHasExpired RequestExpired RequestInTheFuture RequestTimeTooSkewed",
        "timedatectl set-ntp true   (then the same again)",
    ),
    Row(
        "region",
        "AuthFailure InvalidClientTokenId UnrecognizedClientException",
        "aws sts get-caller-identity   (if it answers, the region is not enabled in your"
        " account: aws account enable-region --region-name REGION; else: aws sso login, or"
        " new keys by aws configure)",
    ),
    Row(
        "credentials",
        "ExpiredToken* IncompleteSignature MissingAuthenticationToken SignatureDoesNotMatch",
        "aws sso login   (or new keys: aws configure)",
    ),
    Row(
        "account",
        "OptInRequired",
        "accept the terms of the image, or finish the sign-up, in the console of AWS",
    ),
    Row(
        "account",
        "PendingVerification",
        "wait: AWS verifies new accounts, within minutes or at most 4 hours",
    ),
    Row("account", "Blocked", "ask AWS's support: the account is blocked"),
    Row(
        "organisation",
        "AccessDenied AccessDeniedException UnauthorizedOperation",
        "ask the administrators of your organisation: no policy of yours can allow it",
        said="service control policy",
    ),
    Row(
        "access",
        "AccessDenied AccessDeniedException UnauthorizedOperation",
        "roost iam FILE   (prints all that is needed)",
    ),
    # --- a code that means another thing in one call ---
    Row("capacity", "Unsupported", ROOM, calls="RunInstances StartInstances"),
    Row(
        "pending",
        "InvalidAllocationID.NotFound InvalidGroup.NotFound InvalidGroupId.NotFound"
        " InvalidInstanceID.NotFound InvalidKeyPair.NotFound InvalidSecurityGroupID.NotFound"
        " InvalidSnapshot.NotFound InvalidVolume.NotFound",
        "the same command again, in a few minutes",
        calls=USES_NEW,
    ),
    Row(
        "file",
        "InvalidParameterValue",
        "roost doctor FILE   (a profile made just now: again in a minute)",
        calls="RunInstances",
        said="iaminstanceprofile",
    ),
    # --- later ---
    Row(
        "busy",
        "ConcurrentTagAccess EC2ThrottledException InternalError InternalFailure"
        " RequestLimitExceeded ServiceUnavailable Throttling ThrottlingException Unavailable",
        "the same command again, later",
    ),
    Row(
        "pending",
        "BundlingInProgress ConcurrentCreateImageNoRebootLimitExceeded"
        " ConcurrentSnapshotLimitExceeded CreditSpecificationUpdateInProgress DependencyViolation"
        " IncorrectInstanceState IncorrectState InvalidGroup.InUse InvalidInstanceState"
        " InvalidIPAddress.InUse InvalidNetworkInterface.InUse InvalidSnapshot.InUse InvalidState"
        " PendingSnapshotLimitExceeded Resource.AlreadyAssigned Resource.AlreadyAssociated"
        " SnapshotCreationPerVolumeRateExceeded VolumeInUse",
        "the same command again, in a few minutes",
    ),
    Row(
        "pending",
        "IncorrectModificationState VolumeModificationRateExceeded",
        "the same command, later: EC2 changes a volume once in six hours",
    ),
    # --- the same wish again ---
    Row(
        "absent",
        "InvalidAddress.NotFound InvalidAddressID.NotFound InvalidAllocationID.NotFound"
        " InvalidAMIID.NotFound InvalidAMIID.Unavailable InvalidAssociationID.NotFound"
        " InvalidAttachment.NotFound InvalidAttachmentID.NotFound InvalidGroup.NotFound"
        " InvalidGroupId.NotFound InvalidInstanceID InvalidInstanceID.NotFound"
        " InvalidKeyPair.NotFound InvalidLaunchTemplateId.NotFound"
        " InvalidLaunchTemplateName.NotFoundException InvalidNetworkInterfaceID.NotFound"
        " InvalidPermission.NotFound InvalidReservationID.NotFound"
        " InvalidSecurityGroupID.NotFound InvalidSnapshot.NotFound InvalidVolume.NotFound",
    ),
    Row("absent", "InvalidLaunchTemplateId.VersionNotFound NoSuchVersion"),
    Row(
        "there",
        "InvalidAMIName.Duplicate InvalidGroup.Duplicate InvalidKeyPair.Duplicate"
        " InvalidLaunchTemplateName.AlreadyExistsException InvalidPermission.Duplicate"
        " InvalidVolumeID.Duplicate",
    ),
    # --- room and limits ---
    Row(
        "capacity",
        "Insufficient* InvalidHostState LimitPriceExceeded SpotMaxPriceTooLow"
        " UnfulfillableCapacity UnavailableHostRequirements VolumeTypeNotAvailableInZone",
        ROOM,
    ),
    Row(
        "quota",
        "AddressLimitExceeded AttachmentLimitExceeded InstanceLimitExceeded KeyPairLimitExceeded"
        " MaxIOPSLimitExceeded MaxSpotInstanceCountExceeded MaxTemplate*LimitExceeded"
        " NetworkInterfaceLimitExceeded PrivateIpAddressLimitExceeded RequestResourceCountExceeded"
        " Resource*LimitExceeded ResourceCountExceeded RulesPerSecurityGroupLimitExceeded"
        " SecurityGroup*LimitExceeded SnapshotLimitExceeded TagLimitExceeded VcpuLimitExceeded"
        " VolumeIOPSLimit VolumeLimitExceeded VolumeModificationSizeLimitExceeded"
        " FilterLimitExceeded MaxConfigLimitExceededException UpdateLimitExceeded",
        QUOTA,
    ),
    # --- what the file says ---
    Row(
        "file",
        "BootForVolumeTypeUnsupported EncryptedVolumesNotSupported InvalidBlockDeviceMapping"
        " UnknownVolumeType Volume*NotSupported",
        VOLUME,
    ),
    Row("file", "InvalidInstanceType InvalidInstanceFamily", "roost prices   (lists what fits)"),
    Row(
        "file",
        "InvalidSubnetID.NotFound InvalidSubnetId.NotFound InvalidVpcID.NotFound"
        " InvalidZone.NotFound InvalidAvailabilityZone InvalidSubnet VPCIdNotSpecified"
        " DefaultVpcDoesNotExist InvalidRegion",
        "another `vpc`, `subnet` or `zones` in [aws]",
    ),
    Row(
        "file",
        "InvalidKey.Format InvalidKeyPair.Format",
        "ssh-keygen -t ed25519   (EC2 takes keys of ED25519 and RSA)",
    ),
    Row("file", "InvalidAMIID.Malformed", "another `image` in the file"),
    Row("file", "InvalidIamInstanceProfile*", "another `instance_profile` in [aws]"),
    Row(
        "file",
        "Client.InternalError CustomerKeyHasBeenRevoked InaccessibleStorageLocation KMS*"
        " InvalidKMSKey* Client.KMS* Client.InvalidKMSKey*",
        "a key of KMS that is enabled and that you may use: `kms_key` in [aws]",
    ),
    Row("file", "ZonesMismatched Invalid*.ZoneMismatch", "`zones` in [aws] as the volume's zone"),
    # --- what AWS's list has, and this program never meets ---
    Row(
        "unknown call",
        "InvalidAction NotImplemented UnknownOperation UnknownOperationException"
        " UnsupportedOperation",
        "the endpoint does not offer this; AWS's own does",
    ),
    Row(
        "never",
        "*ClientVpn* *ConversionTask* *CustomerGateway* *Dhcp* *FlowLog* *Fleet* *Fpga*"
        " *NatGateway* *NetworkAcl* *NetworkLoadBalancer* *PrefixList* *RouteTable* *TrafficMirror*"
        " *VpcEndpoint* *VpcPeering* *VPCResource* *Vpn* AsnConflict CidrConflict EIPMigratedToVpc"
        " Gateway.NotAttached InternetGateway* InvalidInternetGateway* InvalidGatewayID*"
        " InvalidAddress.Locked InvalidCidr.InUse InvalidRoute.* LegacySecurityGroup"
        " LogDestination* NetworkInterfaceNot* NlbInUse* Route* Subnet* VpcCidrConflict"
        " VpcLimitExceeded InvalidVpc* InvalidSubnet.* InvalidService*"
        " InvalidNetworkInterfaceAttachmentId* DefaultSubnet* DefaultVpcAlreadyExists"
        " InvalidTargetArn.Unknown",
        "",  # networks: roost uses one that is there
    ),
    Row(
        "never",
        "*Bundle* *CapacityReservation* *Export* *Host* *Placement* *Reserv* *Scheduled*"
        " *SpotDatafeed* *SpotInstanceRequest* *Tenancy* DiskImageSizeTooLarge"
        " DuplicateSubnetsInSameZone IdempotentInstanceTerminated InstanceAlreadyLinked"
        " InstanceCreditSpecification* InvalidAffinity InvalidAMIAttributeItemValue"
        " InvalidCpuCredits*"
        " InvalidInstanceCreditSpecification* InvalidInstanceID.NotLinkable InvalidManifest"
        " InvalidProductInfo InvalidPurchaseToken* InvalidStateTransition NonEBSInstance"
        " SnapshotCopyUnsupported.InterRegion TargetCapacityLimitExceededException"
        " UnknownPrincipalType* UnsupportedHibernation* DecodeAuthorizationMessage"
        " DisallowedForDedicated* CannotDelete DeleteConversion*",
        "",  # ways to buy and to run machines that roost does not offer
    ),
    Row(
        "file",
        "InvalidParameterCombination InvalidParameterValue",
        "roost doctor FILE   (what the file asks for may not go together)",
    ),
    Row(
        "bug",
        "*.Malformed *Malformed* DryRun* IdempotentParameterMismatch Invalid* Malformed* Missing*"
        " OperationNotPermitted Unsupported* UnknownParameter ValidationError",
        REPORT,
    ),
)
"""The first row that fits counts."""
OTHER = Row("other", "*")


def row_of(code: str, call: str = "", message: str = "") -> Row:
    """Return what a code means in a call that says this."""
    for row in _rows_of(code, call):
        if not row.said or re.search(row.said, message, re.IGNORECASE):
            return row
    return OTHER


@cache
def _rows_of(code: str, call: str) -> tuple[Row, ...]:
    return tuple(row for row in TABLE if _fits(row.codes, code) and _fits(row.calls, call))


def _fits(patterns: str, word: str) -> bool:
    return any(fnmatchcase(word, pattern) for pattern in patterns.split())
