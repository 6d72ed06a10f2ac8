"""The fees of the schedule and the taxes on them, for staff."""

from marketplace import services
from marketplace.api.serializers.fees import (
    CommissionFeeInput,
    CommissionFeeSerializer,
    FeeTaxRateInput,
    FeeTaxRateSerializer,
)
from marketplace.models import CommissionFee, FeeTaxRate
from systemadmin.foundation.api import ServiceCrudViewSet, crud_access


class CommissionFeeViewSet(ServiceCrudViewSet):
    """`/api/admin/fees`: what every order is charged by, in this order."""

    access = crud_access("marketplace.commissionfee")
    needs_second_person = {"update", "partial_update"}
    serializer_class = CommissionFeeSerializer
    input_class = CommissionFeeInput
    queryset = CommissionFee.objects.order_by("position", "id")
    subject = "fee"
    create_service = staticmethod(services.create_fee)
    update_service = staticmethod(services.update_fee)
    delete_service = staticmethod(services.delete_fee)


class FeeTaxRateViewSet(ServiceCrudViewSet):
    """`/api/admin/fee-tax-rates`: the tax on fees by a seller's country and tax status."""

    access = crud_access("marketplace.feetaxrate")
    needs_second_person = {"create", "update", "partial_update", "destroy"}
    serializer_class = FeeTaxRateSerializer
    input_class = FeeTaxRateInput
    queryset = FeeTaxRate.objects.order_by("country", "tax_status")
    subject = "rate"
    create_service = staticmethod(services.create_fee_tax_rate)
    update_service = staticmethod(services.update_fee_tax_rate)
    delete_service = staticmethod(services.delete_fee_tax_rate)
