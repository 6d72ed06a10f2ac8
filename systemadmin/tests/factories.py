"""Accounts for tests."""

import time
from datetime import timedelta

import factory
from django.contrib.auth.models import Group
from django.utils import timezone
from django_otp.oath import TOTP

from systemadmin.foundation.crypto import encrypt_secret
from systemadmin.models import ApprovalRequest, EncryptedTotpDevice, User
from systemadmin.models.identity import TOTP_PURPOSE

PASSWORD = "Correct-horse-7-battery"
TOTP_KEY = "3132333435363738393031323334353637383930"  # RFC 6238's, in hexadecimal


class UserFactory(factory.django.DjangoModelFactory):
    """A member."""

    class Meta:
        model = User
        skip_postgeneration_save = True

    username = factory.Sequence(lambda n: f"member{n}")
    email = factory.LazyAttribute(lambda o: f"{o.username}@example.test")
    country = "ES"
    password = factory.django.Password(PASSWORD)
    date_joined = factory.LazyFunction(timezone.now)


class StaffFactory(UserFactory):
    """Staff with one of the shipped roles: `StaffFactory(role="support_agent")`."""

    username = factory.Sequence(lambda n: f"staff{n}")
    is_staff = True

    @factory.post_generation
    def role(self, create, extracted, **kwargs):
        if extracted:
            group, _ = Group.objects.get_or_create(name=extracted)
            self.groups.add(group)


def request_for_second_person(**values):
    """A request that waits for a second person, to remove the demo data."""
    return ApprovalRequest.objects.create(
        **{
            "kind": "purge",
            "act": "systemadmin.purge_demo",
            "subject_type": "demo",
            "subject_id": "demo",
            "subject_name": "demo data",
            "asked_by_name": "somebody",
            "reason": "Test",
            "expires_at": timezone.now() + timedelta(days=1),
            **values,
        }
    )


def totp_device_for(user):
    """The account's confirmed authenticator app, made if it has none."""
    device, _created = EncryptedTotpDevice.objects.get_or_create(
        user=user,
        confirmed=True,
        defaults={"name": "totp", "secret": encrypt_secret(TOTP_KEY, purpose=TOTP_PURPOSE)},
    )
    return device


def totp_code(device, *, step=0):
    """The code that the app shows now, or some 30-second steps from now."""
    totp = TOTP(device.key)
    totp.time = time.time() + 30 * step
    return f"{totp.token():06d}"
