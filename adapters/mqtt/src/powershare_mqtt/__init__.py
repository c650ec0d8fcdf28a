"""powershare on an MQTT broker: a meter that reads there, and a bridge that shows a driver and takes limits."""

from powershare_mqtt.bridge import MqttBridge
from powershare_mqtt.meter import MqttMeter

__all__ = ["MqttBridge", "MqttMeter"]
