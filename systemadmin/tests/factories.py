"""Accounts for tests."""

import factory
from django.contrib.auth.models import Group
from django.utils import timezone

from systemadmin.models import User

PASSWORD = "Correct-horse-7-battery"


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
