"""Host keys out of what a machine writes to its console."""

from roost.providers.console import host_keys

ED = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGH5fGgBdTgC1nD8E/TekwJAet/K4f1f8DiBiQ4NYry/"
ED2 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHtOReNwl7HPAz5EUR/6mRdACoNszPBcSS9tCUeot7CE"
EC = (
    "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBPpr+er3f3udgTXl6EPI+7"
    "KGx6TXD6uSDR2iwHifbA/rgJqMHVg8Ziq+0dQ1jn6Upu1OgReLw+OG91rLAB+lHNY="
)
BEGIN, END = "-----BEGIN SSH HOST KEY KEYS-----", "-----END SSH HOST KEY KEYS-----"


def block(*keys: str, prefix: str = "", comment: str = " root@ip-10-0-0-1") -> str:
    lines = [BEGIN, *(f"{key}{comment}" for key in keys), END]
    return "".join(f"{prefix}{line}\r\n" for line in lines)


def test_as_cloud_init_writes_it() -> None:
    text = f"""\
[   31.1] cloud-init[811]: Cloud-init v. 24.1 running 'modules:final'
<14>Jan  6 15:27:31 cloud-init: -----BEGIN SSH HOST KEY FINGERPRINTS-----
<14>Jan  6 15:27:31 cloud-init: 256 SHA256:8KKnft4X6/5ANZjy4c9Pf8nLPghM25r2h7KQCcmMWJQ (ECDSA)
<14>Jan  6 15:27:32 cloud-init: -----END SSH HOST KEY FINGERPRINTS-----
{block(EC, ED)}[   32.0] cloud-init[811]: ci-info: {ED2} somebody
ip-10-0-0-1 login: """
    assert host_keys(text) == (EC, ED)


def test_prefixes_of_kernel_and_syslog() -> None:
    assert host_keys(block(ED, prefix="[   12.345678] cloud-init[811]: ")) == (ED,)
    assert host_keys(block(ED, prefix="<14>Jan  6 15:27:31 cloud-init: ")) == (ED,)
    assert host_keys(block(ED, prefix="ec2: ")) == (ED,)
    assert host_keys(block(ED, comment="")) == (ED,)


def test_the_last_complete_block_wins() -> None:
    assert host_keys(block(ED) + block(EC, ED2)) == (EC, ED2)
    assert host_keys(block(ED) + f"{BEGIN}\n{ED2}\n") == (ED,)
    assert host_keys(block(ED) + f"{BEGIN}\n{END}\n") == (ED,)


def test_two_writers_at_once_tell_each_key_once() -> None:
    kernel = "[   12.3] cloud-init[811]: "
    text = f"{BEGIN}\n{kernel}{BEGIN}\n{ED}\n{kernel}{ED}\n{EC}\n{END}\n{kernel}{END}\n"
    assert host_keys(text) == (ED, EC)


def test_no_keys() -> None:
    assert host_keys("") == ()
    assert host_keys(f"{ED}\n") == ()
    assert host_keys(f"{END}\n{ED}\n") == ()


def test_a_key_that_was_cut_or_says_another_type_does_not_count() -> None:
    cut = f"{ED[:-8]}[   12.3] systemd[1]: Started.\n"
    assert host_keys(f"{BEGIN}\n{cut}{EC}\n{END}\n") == (EC,)
    assert host_keys(f"{BEGIN}\n{ED[:-8]}\n{END}\n") == ()
    assert host_keys(f"{BEGIN}\nssh-rsa {ED.split()[1]}\n{END}\n") == ()
    assert host_keys(f"{BEGIN}\nssh-ed25519 {'A' * 43}\n{END}\n") == ()
